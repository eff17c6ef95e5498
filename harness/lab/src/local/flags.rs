//! From flags to a command line.

use super::Flags;

/// The lab's flags, with the user's added or in their place.
pub(super) fn merged<const N: usize>(own: [(&str, String); N], users: &Flags) -> Flags {
    let mut flags: Flags = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    flags.extend(users.clone());
    flags
}

/// The command line: leading arguments, then `--name=value` in order of names.
pub(super) fn command_line(leading: &[String], flags: &Flags) -> Vec<String> {
    let flags = flags.iter().map(|(name, value)| format!("--{name}={value}"));
    leading.iter().cloned().chain(flags).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_flag_replaces_the_labs() {
        let users = Flags::from([("b".into(), "2".into()), ("c".into(), "3".into())]);
        let flags = merged([("a", "1".into()), ("b", "1".into())], &users);
        assert_eq!(command_line(&["etcd".into()], &flags), ["etcd", "--a=1", "--b=2", "--c=3"]);
    }
}
