"""May a run begin, and may its next wave: maintenance windows and the attested backup. Pure; times are epoch seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from galvan.model import Backup, Window

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def left(windows: Sequence[Window], now: float) -> float | None:
    """Seconds until what is open now closes, over windows that follow one another; None outside of all of them."""
    spans = [span for window in windows for span in _spans(window, now)]
    end = now
    while later := max((last for first, last in spans if first <= end < last), default=0.0):
        end = later
    return end - now if end > now else None


def opens(windows: Sequence[Window], now: float) -> float:
    """When the next window opens."""
    return min(first for window in windows for first, _ in _spans(window, now) if first > now)


def _spans(window: Window, now: float) -> Iterator[tuple[float, float]]:
    """The window's occurrences from yesterday's to next week's, by the clock on the wall of its zone: a night in which the
    clocks change is an hour shorter or longer."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(window.zone)
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today + timedelta(days=offset) for offset in range(-1, 9)):
        if day.weekday() in window.days:
            over = window.end if window.end > window.begin else window.end + 24 * 60
            yield _at(day, window.begin, zone), _at(day, over, zone)


def _at(day: date, minutes: int, zone: ZoneInfo) -> float:
    then = day + timedelta(days=minutes // (24 * 60))
    minute = minutes % (24 * 60)
    return datetime(then.year, then.month, then.day, minute // 60, minute % 60, tzinfo=zone).timestamp()


def outside(windows: Sequence[Window], now: float, need: float = 0.0) -> str:
    """Why a run, or a part of it that takes `need` seconds, may not begin now; empty where it may."""
    if not windows:
        return ""
    rest = left(windows, now)
    named = ", ".join(window.text for window in windows)
    if rest is None:
        return f"it is outside of the maintenance window ({named}), which opens {_said(windows, opens(windows, now))}"
    if need > rest:
        return (
            f"what comes next takes about {need / 60:.0f} minutes and must not be cut in two, and the maintenance window "
            f"({named}) closes in {rest / 60:.0f}; it opens again {_said(windows, opens(windows, now))}"
        )
    return ""


def _said(windows: Sequence[Window], at: float) -> str:
    from zoneinfo import ZoneInfo

    zone = windows[0].zone
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M ") + zone


def vouched(backup: Backup | None, who: str, day: str, now: float) -> tuple[str, str]:
    """What is to be said of the backup, and why a run may not begin (empty where it may). `who`, `day`: given by hand.

    Whether a backup can be restored shows no query: somebody must have restored it, and must say so.
    """
    who, day = (who, day) if day else (backup.by, backup.attested) if backup else ("", "")
    said = (
        f"{who} attests that the backup of {day} was restored" if day else "nobody attests a backup that was restored"
    )
    if backup is None:
        return said, ""
    way_out = "restore one somewhere else, then say so: policy.backup, or --attest-backup 'WHO, YYYY-MM-DD'"
    if not day:
        return said, f"{said}, and the policy asks for one: {way_out}"
    age = (datetime.fromtimestamp(now, UTC).date() - date.fromisoformat(day)).days
    if age < -1:
        return said, f"{said}, and that day is yet to come: {way_out}"
    if age > backup.max_age_days:
        return said, f"{said}, {age} days ago; the policy asks for one of the last {backup.max_age_days}: {way_out}"
    return said, ""
