//! The roles of IAM principals.

use std::collections::BTreeMap;

use crate::caller::Role;

/// What an entry of the map has to be.
pub(super) const FORM: &str = "the ARN of an IAM role (`arn:aws:iam::ACCOUNT:role/NAME`), of a user, or of one session of a role \
     (`arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`)";

/// The role of each principal, by its ARN. That of an IAM role stands for all its sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IamRoles(pub BTreeMap<String, Role>);

impl IamRoles {
    /// The role of the principal with this ARN, as API Gateway names it in `userArn`. An entry for the principal itself decides, else the
    /// entry for the IAM role that it has assumed.
    pub fn role(&self, user_arn: &str) -> Option<Role> {
        let own = self.0.get(user_arn).copied();
        own.or_else(|| {
            let assumed = Assumed::of_session(user_arn)?;
            self.0.iter().find(|(arn, _)| Assumed::of_role(arn).as_ref() == Some(&assumed)).map(|(_, role)| *role)
        })
    }
}

/// An IAM role: its name is unique in its account, whatever its path is, and the ARN of a session leaves the path out.
#[derive(Debug, PartialEq, Eq)]
struct Assumed<'a> {
    partition: &'a str,
    account: &'a str,
    name: &'a str,
}

impl<'a> Assumed<'a> {
    fn of_session(arn: &'a str) -> Option<Self> {
        let (partition, account, rest) = parts(arn, "sts")?;
        let (name, session) = rest.strip_prefix("assumed-role/")?.split_once('/')?;
        (!name.is_empty() && !session.is_empty()).then_some(Self { partition, account, name })
    }

    fn of_role(arn: &'a str) -> Option<Self> {
        let (partition, account, rest) = parts(arn, "iam")?;
        let name = rest.strip_prefix("role/")?.rsplit('/').next()?;
        (!name.is_empty()).then_some(Self { partition, account, name })
    }
}

/// Partition, account and resource of an ARN of `service`.
fn parts<'a>(arn: &'a str, service: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut fields = arn.splitn(6, ':');
    let (head, partition, of, region) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let (account, resource) = (fields.next()?, fields.next()?);
    let is_whole = head == "arn" && of == service && region.is_empty() && !partition.is_empty() && !account.is_empty();
    is_whole.then_some((partition, account, resource))
}

/// Whether `arn` can be the ARN of a principal. There are no wildcards: they would give a role to whoever may name a session.
pub(super) fn is_principal(arn: &str) -> bool {
    if arn.contains(['*', '?']) || arn.contains(char::is_whitespace) {
        return false;
    }
    let is_user = parts(arn, "iam")
        .and_then(|(.., resource)| resource.strip_prefix("user/"))
        .is_some_and(|name| !name.is_empty() && !name.ends_with('/'));
    is_user || Assumed::of_role(arn).is_some() || Assumed::of_session(arn).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_stands_for_its_sessions_and_a_session_for_itself() {
        let roles = IamRoles(BTreeMap::from([
            ("arn:aws:iam::1:role/teams/ops".to_owned(), Role::Operator),
            ("arn:aws:sts::1:assumed-role/ops/anna".to_owned(), Role::Approver),
            ("arn:aws:iam::1:user/teams/ben".to_owned(), Role::Viewer),
        ]));
        for (arn, role) in [
            ("arn:aws:sts::1:assumed-role/ops/anna", Some(Role::Approver)),
            ("arn:aws:sts::1:assumed-role/ops/carl", Some(Role::Operator)),
            ("arn:aws:iam::1:user/teams/ben", Some(Role::Viewer)),
            ("arn:aws:sts::2:assumed-role/ops/anna", None),
            ("arn:aws-cn:sts::1:assumed-role/ops/anna", None),
            ("arn:aws:sts::1:assumed-role/ops2/anna", None),
            ("arn:aws:sts::1:assumed-role/ops", None),
            ("arn:aws:iam::1:user/ben", None),
            ("arn:aws:iam::1:root", None),
            ("", None),
        ] {
            assert_eq!(roles.role(arn), role, "{arn}");
        }
    }

    #[test]
    fn only_whole_principals_can_be_named() {
        for (arn, is_one) in [
            ("arn:aws:iam::123456789012:role/ops", true),
            ("arn:aws:iam::123456789012:user/anna", true),
            ("arn:aws:sts::123456789012:assumed-role/ops/anna", true),
            ("arn:aws:sts::123456789012:assumed-role/ops/*", false),
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:iam::123456789012:user/", false),
            ("arn:aws:iam:::role/ops", false),
            ("arn:aws:s3:::bucket", false),
            ("ops", false),
        ] {
            assert_eq!(is_principal(arn), is_one, "{arn}");
        }
    }
}
