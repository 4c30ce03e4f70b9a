//! The stable codes of diagnostics. Most apply to playbooks, checks and guardrails alike.

/// The file is larger than [`PLAYBOOK_BYTES`](heal_engine::limit::PLAYBOOK_BYTES).
pub const TOO_LARGE: &str = "too-large";
/// The text is not YAML.
pub const YAML_SYNTAX: &str = "yaml-syntax";
/// The text is YAML, but exceeds a limit on depth, values or aliases.
pub const YAML_BUDGET: &str = "yaml-budget";
/// A template without quotes, which YAML reads as an object.
pub const UNQUOTED_TEMPLATE: &str = "unquoted-template";
/// A number that JSON cannot hold without loss.
pub const NUMBER_RANGE: &str = "number-range";
/// The same key twice in one object.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// A key that is not a text.
pub const KEY_TYPE: &str = "key-type";
/// A file without content.
pub const EMPTY_FILE: &str = "empty-file";
/// A playbook without an action.
pub const NO_ACTIONS: &str = "no-actions";
/// A key that the language does not have.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// An old key; it is still read.
pub const OLD_KEY: &str = "old-key";
/// A required key is missing.
pub const MISSING_KEY: &str = "missing-key";
/// A key in the wrong place.
pub const MISPLACED_KEY: &str = "misplaced-key";
/// A key or value that has no effect.
pub const NO_EFFECT: &str = "no-effect";
/// A verify entry that reads nothing which a changing step touches or gives.
pub const NO_EVIDENCE: &str = "no-evidence";
/// A value of the wrong type.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value of the right type that is not allowed.
pub const WRONG_VALUE: &str = "wrong-value";
/// A number, a duration or a size over its limit.
pub const BUDGET_EXCEEDED: &str = "budget-exceeded";
/// The name differs from the file name.
pub const NAME_MISMATCH: &str = "name-mismatch";
/// A name with a character that names cannot have.
pub const ILLEGAL_NAME: &str = "illegal-name";
/// A name that templates cannot write as `steps.NAME`.
pub const AWKWARD_NAME: &str = "awkward-name";
/// Two steps, playbooks or checks with the same name.
pub const DUPLICATE_NAME: &str = "duplicate-name";
/// The same trigger twice.
pub const REPEATED_TRIGGER: &str = "repeated-trigger";
/// An action that no function performs.
pub const UNKNOWN_ACTION: &str = "unknown-action";
/// An approver that is a group which the guardrails do not have.
pub const UNKNOWN_GROUP: &str = "unknown-group";
/// A need that names no step of its section.
pub const UNKNOWN_NEED: &str = "unknown-need";
/// Steps that need each other.
pub const NEEDS_CYCLE: &str = "needs-cycle";
/// A step that can never run.
pub const UNREACHABLE_STEP: &str = "unreachable-step";
/// A parameter that the action does not have.
pub const UNKNOWN_PARAMETER: &str = "unknown-parameter";
/// A required parameter is missing.
pub const MISSING_PARAMETER: &str = "missing-parameter";
/// A parameter value that the action does not accept.
pub const WRONG_PARAMETER: &str = "wrong-parameter";
/// A text that is not a valid template.
pub const TEMPLATE_SYNTAX: &str = "template-syntax";
/// A template that fails for every input.
pub const TEMPLATE_FAILS: &str = "template-fails";
/// A filter or test that templates do not have.
pub const UNKNOWN_FILTER: &str = "unknown-filter";
/// A function that templates do not have.
pub const UNKNOWN_FUNCTION: &str = "unknown-function";
/// A variable that neither the incident nor a step provides.
pub const UNKNOWN_VARIABLE: &str = "unknown-variable";
/// A template reads a variable whose value is hidden.
pub const SECRET_VARIABLE: &str = "secret-variable";
/// A text with a secret in it.
pub const SECRET_VALUE: &str = "secret-value";
/// A template names a step that the playbook does not have.
pub const UNKNOWN_STEP: &str = "unknown-step";
/// A template names an output that the step does not have.
pub const UNKNOWN_OUTPUT: &str = "unknown-output";
/// A template reads an output of a step that may not have ended by then.
pub const NOT_RUN_YET: &str = "not-run-yet";
/// A condition that cannot be a boolean.
pub const NOT_BOOLEAN: &str = "not-boolean";
/// A `for_each` that cannot be a list.
pub const NOT_A_LIST: &str = "not-a-list";
/// A `parameters_schema` that is not a JSON Schema.
pub const INVALID_SCHEMA: &str = "invalid-schema";
/// A check raises an incident that no playbook handles.
pub const UNROUTED_INCIDENT: &str = "unrouted-incident";
/// A variable that the incident's playbook needs and the check's incident does not set.
pub const MISSING_VARIABLE: &str = "missing-variable";
/// A field of a check's incident whose value its playbook or the engine refuses.
pub const WRONG_VARIABLE: &str = "wrong-variable";
/// A service that no action calls.
pub const UNKNOWN_SERVICE: &str = "unknown-service";
/// A scheduled check that does not exist.
pub const UNKNOWN_CHECK: &str = "unknown-check";
/// A playbook that does not exist.
pub const UNKNOWN_PLAYBOOK: &str = "unknown-playbook";
/// A guardrail that can never fire.
pub const UNREACHABLE_RULE: &str = "unreachable-rule";
/// A guardrail that lets everything through.
pub const NO_BOUND: &str = "no-bound";
