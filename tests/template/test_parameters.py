"""Every variable that the functions read has its parameter, with the default that the configuration documents."""

import json
import unittest

import facts
from stack import ROOT, Stack, source

# The integration guide's own table.
GUIDE = {
    "EXECUTION_TICKET_SERVICE_URL": "http://execution-ticket-service:8000",
    "EXECUTION_TICKET_SERVICE_TIMEOUT": "30",
    "ORCHESTRATOR_GRPC_HOST": "orchestrator-dynamic.svc.cluster.local",
    "ORCHESTRATOR_GRPC_PORT": "50052",
    "ORCHESTRATOR_GRPC_USE_TLS": "true",
    "OPA_HOST": "opa.svc.cluster.local",
    "OPA_PORT": "8181",
    "OPA_ENABLED": "true",
    "OPA_FAIL_OPEN": "true",
}
# Set by the template without a parameter of the same name: secrets_manager if a secret is given, else none.
WITHOUT_PARAMETER = {"SPIFFE_IDENTITY_SOURCE"}
# Prefixes of the variables that are not the clients': the template sets them itself, or AWS Lambda does.
NOT_OF_CLIENTS = ("HEAL_", "AWS_", "OTEL_", "RUST_LOG")
NAMED_OTHERWISE = {"SPIFFE_SECRET_ID": "IdentitySecretArn"}
SERVICES = {
    "EXECUTION_TICKET": "execution-ticket-service",
    "ORCHESTRATOR": "orchestrator",
    "SPIFFE": "orchestrator",
    "KUBERNETES": "kubernetes",
    "EKS": "kubernetes",
}


def parameter_of(variable):
    """EXECUTION_TICKET_SERVICE_URL is ExecutionTicketServiceUrl."""
    return NAMED_OTHERWISE.get(variable) or "".join(word.capitalize() for word in variable.split("_"))


def table():
    """The table of all variables, which a Rust test of heal-wiring writes and keeps up to date."""
    return json.loads((ROOT / "tests/template/variables.json").read_text())


def variables():
    """The variables of the clients that functions read, with the default of each."""
    rows = [row for row in table() if row["functions"] and not row["name"].startswith(NOT_OF_CLIENTS)]
    return {row["name"]: row["default"] or "" for row in rows if row["name"] not in WITHOUT_PARAMETER}


def environment(stack, folder):
    return stack.properties(f"{facts.logical(folder)}Function")["Environment"]["Variables"]


class Parameters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.parameters = source()["Parameters"]
        cls.stack = Stack()

    def test_every_variable_of_the_guide_has_its_parameter_with_the_guides_default(self):
        for variable, default in GUIDE.items():
            self.assertIn(parameter_of(variable), self.parameters)
            self.assertEqual(str(self.parameters[parameter_of(variable)]["Default"]), default, variable)

    def test_every_variable_of_the_clients_has_its_parameter_with_the_documented_default(self):
        for variable, default in variables().items():
            self.assertIn(parameter_of(variable), self.parameters, f"{variable} has no parameter in template.yaml")
            self.assertEqual(str(self.parameters[parameter_of(variable)]["Default"]), default, variable)

    def test_a_function_gets_only_variables_that_functions_read(self):
        read = {row["name"] for row in table() if row["functions"]}
        for folder in facts.functions():
            self.assertLessEqual(set(environment(self.stack, folder)), read, folder)

    def test_a_function_gets_each_variable_that_concerns_it_from_its_parameter(self):
        read = list(variables())
        # One stack where every value is its own, and one for each choice, which has too few values for that.
        choices = [variable for variable in read if self.parameters[parameter_of(variable)].get("AllowedValues")]
        own = {parameter_of(variable): f"given {at}" for at, variable in enumerate(read) if variable not in choices}
        self.assert_given(own, [variable for variable in read if variable not in choices])
        for variable in choices:
            self.assert_given({parameter_of(variable): self.parameters[parameter_of(variable)]["AllowedValues"][-1]}, [variable])

    def assert_given(self, parameters, read):
        stack = Stack(**parameters)
        for variable in read:
            service = next((service for prefix, service in SERVICES.items() if variable.startswith(prefix)), None)
            for folder in facts.functions():
                # The checks look at what the actions touch, pods excepted.
                reached = {"execution-ticket-service", "orchestrator"} if folder == "scheduled-checks" else {facts.SERVICES.get(folder)}
                concerned = variable == "ENVIRONMENT" or (
                    variable.startswith("OPA_") or (service is not None and service in reached)
                )
                expected = parameters[parameter_of(variable)] if concerned else None
                self.assertEqual(environment(stack, folder).get(variable), expected, f"{variable} of {folder}")

    def test_every_function_knows_where_its_table_and_queues_are(self):
        for folder in facts.functions():
            given = environment(self.stack, folder)
            self.assertEqual(given["HEAL_TABLE"], "Table", folder)
            self.assertEqual(given["HEAL_QUEUE_URL_PREFIX"], "https://sqs.eu-west-1.amazonaws.com/123456789012/heal-", folder)
            self.assertEqual(given["HEAL_METRICS_NAMESPACE"], "SelfHealing", folder)
            self.assertEqual(given["RUST_LOG"], "info", folder)
            self.assertNotIn("OTEL_EXPORTER_OTLP_ENDPOINT", given, folder)
            self.assertEqual(given.get("HEAL_PLAYBOOKS_FILE"), "playbooks.json" if folder == "dispatcher" else None)
            self.assertEqual(given["HEAL_GUARDRAILS_FILE"], "guardrails.json", folder)
            self.assertEqual(given.get("HEAL_CHECKS_FILE"), "checks.json" if folder == "scheduled-checks" else None)

    def test_those_that_keep_and_remove_runs_know_for_how_long(self):
        parameter = self.parameters["RunRetentionDays"]
        self.assertEqual((parameter["MinValue"], parameter["MaxValue"]), (1, 3650))
        [row] = [row for row in table() if row["name"] == "HEAL_RUN_RETENTION_DAYS"]
        self.assertEqual(str(parameter["Default"]), row["default"])
        stack = Stack(RunRetentionDays=7)
        for folder in facts.functions():
            expected = 7 if folder in ("dispatcher", "scheduled-checks") else None
            self.assertEqual(environment(stack, folder).get("HEAL_RUN_RETENTION_DAYS"), expected, folder)

    def test_traces_go_out_only_where_there_is_an_endpoint(self):
        stack = Stack(OtlpEndpoint="http://collector:4318")
        for folder in facts.functions():
            self.assertEqual(environment(stack, folder)["OTEL_EXPORTER_OTLP_ENDPOINT"], "http://collector:4318")

    def test_the_identity_comes_from_the_secret_and_else_there_is_none(self):
        secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:identity"
        for stack, expected in ((self.stack, "none"), (Stack(IdentitySecretArn=secret), "secrets_manager")):
            for folder, service in facts.SERVICES.items():
                wanted = expected if service == "orchestrator" else None
                self.assertEqual(environment(stack, folder).get("SPIFFE_IDENTITY_SOURCE"), wanted, folder)

    def test_an_empty_policy_host_reaches_the_functions_as_it_is(self):
        self.assertNotIn("AllowedPattern", self.parameters["OpaHost"])
        self.assertEqual(environment(Stack(OpaHost=""), "restart-workflow")["OPA_HOST"], "")

    def test_a_stack_that_could_not_start_is_refused(self):
        rules = source()["Rules"]
        self.assertEqual(set(rules), {"JwtNeedsAnIssuer", "MutualTlsNeedsAnIdentity", "NoFallbackNeedsAPolicyServer", "ProductionNeedsMutualTls", "SessionsNeedAKey", "SubnetsNeedSecurityGroups"})
        names = set(rules["ProductionNeedsMutualTls"]["RuleCondition"]["Fn::Contains"][0])
        self.assertEqual(names, {"production", "prod", "staging", "stage"})

    def test_every_parameter_is_described_used_and_in_a_group_unless_it_is_one_of_the_concurrencies(self):
        text = (ROOT / "template.yaml").read_text()
        groups = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        self.assertEqual(len(grouped), len(set(grouped)))
        concurrencies = {name for name in self.parameters if name.endswith("MaximumConcurrency")}
        self.assertEqual(set(grouped) | concurrencies, set(self.parameters))
        for name, parameter in self.parameters.items():
            self.assertTrue(name in concurrencies or parameter.get("Description"), name)
            self.assertRegex(text, rf"!Ref {name}\b|\$\{{{name}\}}", f"{name} is used nowhere")

    def test_every_parameter_is_documented(self):
        text = (ROOT / "docs/deployment.md").read_text()
        for name in self.parameters:
            name = "<Action>MaximumConcurrency" if name.endswith("MaximumConcurrency") and not name.startswith("Dispatcher") else name
            self.assertIn(f"`{name}`", text, "docs/deployment.md")


if __name__ == "__main__":
    unittest.main()
