//! The faults that reading a playbook can find, by the word that a person can look up. Most are faults of a check file too.

/// The file has more bytes than it may have.
pub const TOO_LARGE: &str = "too-large";
/// The text is no YAML.
pub const YAML_SYNTAX: &str = "yaml-syntax";
/// The text is YAML, but it grows beyond what a file can be: depth, values, aliases.
pub const YAML_BUDGET: &str = "yaml-budget";
/// A template without quotes is a YAML object of objects, not a text.
pub const UNQUOTED_TEMPLATE: &str = "unquoted-template";
/// A number that cannot be carried without loss.
pub const NUMBER_RANGE: &str = "number-range";
/// The same key twice in one object.
pub const DUPLICATE_KEY: &str = "duplicate-key";
/// A key that is no text.
pub const KEY_TYPE: &str = "key-type";
/// A file without content.
pub const EMPTY_FILE: &str = "empty-file";
/// A playbook without an action.
pub const NO_ACTIONS: &str = "no-actions";
/// A key that the language does not have.
pub const UNKNOWN_KEY: &str = "unknown-key";
/// A key of an older playbook language; it is read.
pub const OLD_KEY: &str = "old-key";
/// A key that has to be there.
pub const MISSING_KEY: &str = "missing-key";
/// A key that belongs elsewhere.
pub const MISPLACED_KEY: &str = "misplaced-key";
/// A key that changes nothing where it is.
pub const NO_EFFECT: &str = "no-effect";
/// A value of the wrong type.
pub const WRONG_TYPE: &str = "wrong-type";
/// A value of the right type that is not one of those possible.
pub const WRONG_VALUE: &str = "wrong-value";
/// A number, a duration or a size beyond its bound.
pub const BUDGET_EXCEEDED: &str = "budget-exceeded";
/// The name is not that of the file.
pub const NAME_MISMATCH: &str = "name-mismatch";
/// A name with characters that names do not have.
pub const ILLEGAL_NAME: &str = "illegal-name";
/// A name that templates cannot write as `steps.NAME`.
pub const AWKWARD_NAME: &str = "awkward-name";
/// Two steps of one name.
pub const DUPLICATE_NAME: &str = "duplicate-name";
/// A trigger that is there already.
pub const REPEATED_TRIGGER: &str = "repeated-trigger";
/// An action that no function performs.
pub const UNKNOWN_ACTION: &str = "unknown-action";
/// A need that names no step which could end before.
pub const UNKNOWN_NEED: &str = "unknown-need";
/// Steps that wait for each other.
pub const NEEDS_CYCLE: &str = "needs-cycle";
/// A step that can never run.
pub const UNREACHABLE_STEP: &str = "unreachable-step";
/// A parameter that the action does not have.
pub const UNKNOWN_PARAMETER: &str = "unknown-parameter";
/// A parameter that the action needs.
pub const MISSING_PARAMETER: &str = "missing-parameter";
/// A parameter whose value the action refuses.
pub const WRONG_PARAMETER: &str = "wrong-parameter";
/// A text that is no template.
pub const TEMPLATE_SYNTAX: &str = "template-syntax";
/// A template that fails whatever its variables are.
pub const TEMPLATE_FAILS: &str = "template-fails";
/// A filter or test that templates do not have.
pub const UNKNOWN_FILTER: &str = "unknown-filter";
/// A function that templates do not have.
pub const UNKNOWN_FUNCTION: &str = "unknown-function";
/// A variable that nothing gives.
pub const UNKNOWN_VARIABLE: &str = "unknown-variable";
/// A step that the playbook does not have, in a template.
pub const UNKNOWN_STEP: &str = "unknown-step";
/// A variable that the named step does not give.
pub const UNKNOWN_OUTPUT: &str = "unknown-output";
/// A variable of a step that need not have ended by then.
pub const NOT_RUN_YET: &str = "not-run-yet";
/// A condition that cannot be a boolean.
pub const NOT_BOOLEAN: &str = "not-boolean";
/// A `for_each` that cannot be a list.
pub const NOT_A_LIST: &str = "not-a-list";
/// A `parameters_schema` that is no JSON Schema.
pub const INVALID_SCHEMA: &str = "invalid-schema";
/// An incident of a check that no playbook is for.
pub const UNROUTED_INCIDENT: &str = "unrouted-incident";
/// A variable that the incident's playbook needs and the check's incident does not set.
pub const MISSING_VARIABLE: &str = "missing-variable";
/// A field of a check's incident whose value its playbook or the engine refuses.
pub const WRONG_VARIABLE: &str = "wrong-variable";
