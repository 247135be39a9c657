"""The errors that Galvan can name. A bug is any other exception, and is not caught."""


class GalvanError(Exception):
    """Anything Galvan can name, as a sentence for a person."""


class BadInput(GalvanError):
    """The operator gave something that cannot be used: file, line, field and the way out are in the text."""


class WrongUsage(BadInput):
    """The command's own words cannot be used: an unknown host, tip or place to write to. Nothing was begun."""


class Unreadable(GalvanError):
    """A fact could not be read; carries why, never a guess."""


class Unreachable(Unreadable):
    """A host did not let us in, so none of its facts could be read."""


class Blind(GalvanError):
    """A tip cannot be planned while some host could not be read."""


class Unsafe(GalvanError):
    """A safety gate refuses: nothing was changed by the step that asked."""


class NotHealed(GalvanError):
    """An action failed, or it ran and the host still is not as wanted."""
