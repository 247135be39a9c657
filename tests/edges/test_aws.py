"""Live security groups, asked with real requests of boto3 at moto's server: read only, resolved, and honest where blind."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from galvan.edges import aws
from galvan.model import BadInput, Unreadable

REGION = "eu-central-1"
HOSTS = {"db1": ["10.0.0.11"], "db2": ["10.0.0.12"], "lb1": ["10.0.0.21"]}


@dataclass
class Cloud:
    url: str
    ec2: Any
    vpc: str
    groups: dict[str, str]
    instances: dict[str, str]

    def let(self, group: str, protocol: str, first: int, last: int, **source: Any) -> None:
        permission = {"IpProtocol": protocol, "FromPort": first, "ToPort": last} | source
        self.ec2.authorize_security_group_ingress(GroupId=self.groups[group], IpPermissions=[permission])

    def read(self, **words: Any) -> Any:
        return aws.read(HOSTS, REGION, self.url, **words)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # thousands, which no test needs
        yield from serving()


def serving() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(url: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    importlib.import_module("urllib.request").urlopen(f"{url}/moto-api/reset", b"").read()
    ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=url)
    made = Cloud(
        url, ec2, ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]["VpcId"], {}, {}
    )
    subnet = ec2.create_subnet(VpcId=made.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    for name in ("database", "balancer", "spare"):
        made.groups[name] = ec2.create_security_group(GroupName=name, Description=name, VpcId=made.vpc)["GroupId"]
    for name, (address,) in HOSTS.items():
        group = made.groups["balancer" if name.startswith("lb") else "database"]
        made.instances[name] = ec2.run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            PrivateIpAddress=address,
            SecurityGroupIds=[group],
        )["Instances"][0]["InstanceId"]
    return made


def cidr(*said: str) -> dict[str, Any]:
    return {"IpRanges": [{"CidrIp": one} for one in said]}


def lets(seen: Any) -> set[tuple[str, int, int, tuple[str, ...]]]:
    assert isinstance(seen, aws.Seen), seen
    return {(let.protocol, let.first, let.last, let.networks) for let in seen.lets}


def test_the_rules_of_a_hosts_groups_are_read(cloud: Cloud) -> None:
    cloud.let("database", "tcp", 22, 22, **cidr("192.0.2.0/24"))
    cloud.let("database", "tcp", 4000, 5000, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}])
    cloud.let("balancer", "112", -1, -1, **cidr("10.0.0.22/32"))
    seen = cloud.read()
    assert lets(seen["db1"]) == lets(seen["db2"]) == {
        ("tcp", 22, 22, ("192.0.2.0/24",)), ("tcp", 4000, 5000, ("2001:db8::/32",)),
    }  # fmt: skip
    assert lets(seen["lb1"]) == {("112", -1, -1, ("10.0.0.22/32",))}
    assert seen["db1"].instance == cloud.instances["db1"]
    assert {let.group for let in seen["db1"].lets} == {cloud.groups["database"]}


def test_what_goes_out_is_not_what_comes_in(cloud: Cloud) -> None:
    assert lets(cloud.read()["db1"]) == set(), "the group's own rule lets everything out, and nothing in"


def test_a_group_that_a_rule_names_stands_for_its_members(cloud: Cloud) -> None:
    for name in ("database", "balancer", "spare"):
        cloud.let("database", "tcp", 3306, 3306, UserIdGroupPairs=[{"GroupId": cloud.groups[name]}])
    assert lets(cloud.read()["db1"]) == {
        ("tcp", 3306, 3306, ("10.0.0.11", "10.0.0.12")), ("tcp", 3306, 3306, ("10.0.0.21",)), ("tcp", 3306, 3306, ()),
    }  # fmt: skip


def test_all_protocols_and_prefix_lists(cloud: Cloud) -> None:
    listed = cloud.ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=3, AddressFamily="IPv4", Entries=[{"Cidr": "198.51.100.0/24"}, {"Cidr": "203.0.113.0/24"}]
    )["PrefixList"]["PrefixListId"]  # fmt: skip
    cloud.let("database", "-1", -1, -1, **cidr("10.9.0.0/16"))
    cloud.let("database", "tcp", 22, 22, PrefixListIds=[{"PrefixListId": listed}])
    assert lets(cloud.read()["db1"]) == {
        ("-1", -1, -1, ("10.9.0.0/16",)), ("tcp", 22, 22, ("198.51.100.0/24", "203.0.113.0/24")),
    }  # fmt: skip


def test_every_interface_of_the_instance_counts(cloud: Cloud) -> None:
    subnet = cloud.ec2.create_subnet(VpcId=cloud.vpc, CidrBlock="10.0.9.0/24")["Subnet"]["SubnetId"]
    made = cloud.ec2.create_network_interface(
        SubnetId=subnet, Groups=[cloud.groups["spare"]], PrivateIpAddress="10.0.9.9"
    )
    second = made["NetworkInterface"]["NetworkInterfaceId"]
    cloud.ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=cloud.instances["db1"], DeviceIndex=1)
    cloud.let("spare", "tcp", 3306, 3306, **cidr("0.0.0.0/0"))
    seen = cloud.read()
    assert lets(seen["db1"]) == {("tcp", 3306, 3306, ("0.0.0.0/0",))}
    assert lets(seen["db2"]) == set()


def test_a_host_is_found_by_its_ipv6_address_in_any_spelling(cloud: Cloud) -> None:
    found = cloud.ec2.describe_network_interfaces(
        Filters=[{"Name": "addresses.private-ip-address", "Values": ["10.0.0.11"]}]
    )
    name = found["NetworkInterfaces"][0]["NetworkInterfaceId"]
    cloud.ec2.assign_ipv6_addresses(NetworkInterfaceId=name, Ipv6Addresses=["2001:db8:0:0::a"])
    cloud.let("database", "tcp", 22, 22, **cidr("192.0.2.0/24"))
    seen = aws.read({"db1": ["2001:DB8::A"]}, REGION, cloud.url)
    assert lets(seen["db1"]) == {("tcp", 22, 22, ("192.0.2.0/24",))}


def test_a_host_that_aws_does_not_know_is_unknown(cloud: Cloud) -> None:
    seen = aws.read({"db9": ["10.0.0.99"], **HOSTS}, REGION, cloud.url)
    assert isinstance(seen["db9"], Unreadable)
    assert "10.0.0.99" in str(seen["db9"])
    assert isinstance(seen["db1"], aws.Seen)


def test_the_same_address_in_two_vpcs_is_unknown_until_one_is_named(cloud: Cloud) -> None:
    other = cloud.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = cloud.ec2.create_subnet(VpcId=other, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    cloud.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.0.11")
    seen = cloud.read()["db1"]
    assert isinstance(seen, Unreadable)
    assert cloud.vpc in str(seen)
    assert "--vpc" in str(seen)
    assert isinstance(cloud.read(vpc=cloud.vpc)["db1"], aws.Seen)


def test_an_endpoint_that_does_not_answer_is_unknown_for_all(cloud: Cloud) -> None:
    seen = aws.read(HOSTS, REGION, "http://127.0.0.1:9")
    assert all(isinstance(one, Unreadable) and "AWS could not be asked" in str(one) for one in seen.values())


def test_no_region_and_no_credentials_are_unknown(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "region" in str(aws.read(HOSTS, None, cloud.url)["db1"])
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "credentials" in str(aws.read(HOSTS, REGION, cloud.url)["db1"])


def test_the_endpoint_may_stand_in_the_environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    assert isinstance(aws.read(HOSTS, REGION)["db1"], aws.Seen)


def test_an_endpoint_that_is_no_url_is_said(cloud: Cloud) -> None:
    with pytest.raises(BadInput, match="--endpoint-url"):
        aws.read(HOSTS, REGION, "nonsense")


def test_a_prefix_list_and_a_group_of_others_that_nobody_may_read_are_said(cloud: Cloud) -> None:
    class Refused(Exception):
        pass

    class Client:
        def get_paginator(self, operation: str) -> Any:
            raise Refused("denied")

    account = aws._Account(Client(), (Refused,), _interfaces=[{"unused": True}])
    for rule, words in (
        ({"PrefixListId": "pl-1"}, "pl-1 could not be read: denied"),
        ({"ReferencedGroupInfo": {"GroupId": "sg-9", "UserId": "222"}}, "sg-9 belongs to another account (222)"),
        ({"SecurityGroupRuleId": "sgr-1"}, "sgr-1"),
    ):
        account._rules["sg-1"] = [{"IsEgress": False, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, **rule}]
        (let,) = account._lets("sg-1", "111")
        assert let.networks == ()
        assert words in let.unread


def test_nothing_but_reads_is_ever_sent(cloud: Cloud) -> None:
    client = aws._client(boto3, REGION, cloud.url)
    assert client.describe_network_interfaces()["NetworkInterfaces"]
    with pytest.raises(RuntimeError, match="CreateVpc"):
        client.create_vpc(CidrBlock="10.1.0.0/16")
    before = cloud.ec2.describe_security_group_rules()["SecurityGroupRules"]
    cloud.read()
    assert cloud.ec2.describe_security_group_rules()["SecurityGroupRules"] == before


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "boto3", None)
    with pytest.raises(BadInput, match=r"galvan\[aws\]"):
        aws.read(HOSTS, REGION)
