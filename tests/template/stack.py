"""The template as CloudFormation would have it: loops unrolled, SAM's resources translated, and every function resolved for one set of
parameters, so that a test reads queue names and ARNs and not expressions.

A resource's Ref and Arn are made up here from its name where it has one, and from its logical id where it has none.
"""

import copy
import functools
import json
import logging
import os
import re
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402

logging.getLogger("samtranslator").setLevel(logging.ERROR)

ROOT = Path(__file__).resolve().parents[2]
ABSENT = object()
PSEUDO = {
    "AWS::StackName": "heal",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": ABSENT,
}
ARN = "arn:aws:{service}:eu-west-1:123456789012:{rest}"


@functools.cache
def _parsed():
    return yaml_parse((ROOT / "template.yaml").read_text())


def source():
    """The template as it is written."""
    return copy.deepcopy(_parsed())


def unroll(template):
    """The template without its loops. A loop's variable stands in keys, in Fn::Sub and in Ref, as with CloudFormation; in a plain text it
    stays, so that a forgotten !Sub is seen. SAM's own unrolling is not used: it makes plain text of a Fn::Sub that it cannot resolve.
    """
    resources = {}
    for key, value in template["Resources"].items():
        if not key.startswith("Fn::ForEach::"):
            resources[key] = value
            continue
        variable, collection, fragment = value
        for item in collection:
            for name, resource in fragment.items():
                logical_id = name.replace("${" + variable + "}", item)
                if logical_id in resources or logical_id == name:
                    raise ValueError(f"{key} makes {logical_id} twice")
                resources[logical_id] = _bound(resource, variable, item)
    return {**template, "Resources": resources}


def _bound(value, variable, item):
    if isinstance(value, list):
        return [_bound(element, variable, item) for element in value]
    if not isinstance(value, dict):
        return value
    if value == {"Ref": variable}:
        return item
    if set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        if isinstance(text, str):
            return _literal_or_sub(text.replace("${" + variable + "}", item))
        return {"Fn::Sub": [text[0].replace("${" + variable + "}", item), _bound(text[1], variable, item)]}
    return {key: _bound(element, variable, item) for key, element in value.items()}


def _literal_or_sub(text):
    """SAM's translator wants plain names in Fn::GetAtt."""
    return {"Fn::Sub": text} if "${" in text else text


@functools.cache
def translated():
    """The template after SAM. No parameter plays a part in it, so once is enough; nobody may change it."""
    unrolled = unroll(source())
    for resource in unrolled["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    for defaults in unrolled["Globals"].values():
        defaults.pop("CodeUri", None)
    return Translator({}, Parser()).translate(unrolled, parameter_values={})


class Stack:
    """The template with these parameters; what is not given has its default."""

    def __init__(self, **parameters):
        self.parameters = {name: given.get("Default", "") for name, given in source()["Parameters"].items()}
        unknown = set(parameters) - set(self.parameters)
        if unknown:
            raise KeyError(f"no parameters of the template: {sorted(unknown)}")
        self.parameters.update(parameters)
        self.template = translated()
        self.conditions = {}
        self.resources = {}
        for logical_id, resource in self.template["Resources"].items():
            if "Condition" not in resource or self._condition(resource["Condition"]):
                self.resources[logical_id] = resource
        # Names first, because ARNs are made of them.
        self._names = {}
        for logical_id in self.resources:
            self._names[logical_id] = self._name(logical_id)

    def of_type(self, kind):
        """The resolved properties of all resources of a type, by logical id."""
        return {
            logical_id: self.properties(logical_id)
            for logical_id, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def properties(self, logical_id):
        return self.resolve(self.resources[logical_id].get("Properties", {}))

    def outputs(self):
        given = self.template["Outputs"].items()
        return {name: self.resolve(output["Value"]) for name, output in given if self._condition(output.get("Condition", True))}

    def queue(self, name):
        """The ARN of the queue of this name within the stack."""
        return ARN.format(service="sqs", rest=f"heal-{name}")

    def statements(self, role_logical_id):
        """Every statement that our own policies grant a role, actions and resources as lists."""
        documents = [policy["PolicyDocument"] for policy in self.properties(role_logical_id).get("Policies", [])]
        documents += [
            policy["PolicyDocument"]
            for policy in self.of_type("AWS::IAM::Policy").values()
            if self._names[role_logical_id] in policy["Roles"]
        ]
        return [_listed(statement) for document in documents for statement in document["Statement"]]

    # Resolution

    def resolve(self, value):
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function in _FUNCTIONS:
                return _FUNCTIONS[function](self, argument)
            if function.startswith("Fn::"):
                raise NotImplementedError(function)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not ABSENT}

    def _ref(self, name):
        name = self.resolve(name)
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            value = self.parameters[name]
            is_list = self.template["Parameters"][name]["Type"] == "CommaDelimitedList"
            return value.split(",") if is_list and isinstance(value, str) else value
        if name not in self.resources:
            raise KeyError(f"Ref to {name}, which is neither parameter nor resource")
        kind = self.resources[name]["Type"]
        own = self._names.get(name, name)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.eu-west-1.amazonaws.com/123456789012/{own}"
        if kind == "AWS::SNS::Topic":
            return ARN.format(service="sns", rest=own)
        return own

    def _get_att(self, argument):
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else map(self.resolve, argument)
        if logical_id not in self.resources:
            raise KeyError(f"GetAtt of {logical_id}, which is no resource")
        if attribute.endswith("Name"):
            return self._names[logical_id]
        if attribute == "RoleId":
            return f"AROA{logical_id}"
        own = self._names[logical_id]
        prefix = {
            "AWS::SQS::Queue": ("sqs", ""),
            "AWS::DynamoDB::Table": ("dynamodb", "table/"),
            "AWS::Lambda::Function": ("lambda", "function:"),
            "AWS::Events::Rule": ("events", "rule/"),
            "AWS::Logs::LogGroup": ("logs", "log-group:"),
            "AWS::IAM::Role": ("iam", "role/"),
        }[self.resources[logical_id]["Type"]]
        suffix = ":*" if prefix[0] == "logs" else ""
        return ARN.format(service=prefix[0], rest=prefix[1] + own + suffix)

    def _sub(self, argument):
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def one(match):
            name = match.group(1)
            if name in values:
                return str(self.resolve(values[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", one, text)

    def _find_in_map(self, argument):
        name, first, second = (str(self.resolve(key)) for key in argument)
        return self.template["Mappings"][name][first][second]

    def _if(self, argument):
        name, yes, no = argument
        return self.resolve(yes if self._condition(name) else no)

    def _condition(self, name):
        if name is True:
            return True
        if name not in self.conditions:
            self.conditions[name] = self.resolve(self.template["Conditions"][name])
        return self.conditions[name]

    def _name(self, logical_id):
        properties = self.resources[logical_id].get("Properties", {})
        for key in ("QueueName", "FunctionName", "LogGroupName", "TopicName", "DashboardName"):
            if key in properties and self.resources[logical_id]["Type"] != "AWS::Lambda::EventSourceMapping":
                named = self.resolve(properties[key])
                return named if isinstance(named, str) else logical_id
        return logical_id


_FUNCTIONS = {
    "Ref": Stack._ref,
    "Fn::GetAtt": Stack._get_att,
    "Fn::Sub": Stack._sub,
    "Fn::FindInMap": Stack._find_in_map,
    "Fn::If": Stack._if,
    "Condition": Stack._condition,
    "Fn::Equals": lambda stack, both: str(stack.resolve(both[0])) == str(stack.resolve(both[1])),
    "Fn::And": lambda stack, all_of: all(stack.resolve(one) for one in all_of),
    "Fn::Not": lambda stack, one: not stack.resolve(one[0]),
    "Fn::Join": lambda stack, both: both[0].join(stack.resolve(both[1])),
    "Fn::Split": lambda stack, both: stack.resolve(both[1]).split(both[0]),
    "Fn::Select": lambda stack, both: stack.resolve(both[1])[int(both[0])],
}


def _listed(statement):
    def many(value):
        return value if isinstance(value, list) else [value]

    return {**statement, "Action": many(statement["Action"]), "Resource": many(statement["Resource"])}


def show(value):
    return json.dumps(value, indent=2, default=str)
