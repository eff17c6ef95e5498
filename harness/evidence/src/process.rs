//! The kinds of processes that a system is made of, by their names: `informer`
//! of `informer-0-1`, and of `kab02-informer-0`.

/// Every kind.
pub const KINDS: [&str; 6] = ["gateway", "webhook", "informer", "operator", "relay", "consumer"];

/// The instance that the process `name` belongs to, if it is not the first, and
/// its name there: `kab02` and `webhook` of `kab02-webhook`.
pub fn instance_of(name: &str) -> (Option<&str>, &str) {
    let other = name.split_once('-').filter(|(instance, _)| {
        let number = instance.strip_prefix("kab").unwrap_or_default();
        number.len() >= 2 && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    other.map_or((None, name), |(instance, name)| (Some(instance), name))
}

/// The kind of the process `name`; none for a server or for kab's own.
pub fn kind_of(name: &str) -> Option<&'static str> {
    let (_, name) = instance_of(name);
    KINDS.into_iter().find(|kind| {
        let rest = name.strip_prefix(kind);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_instances() {
        assert_eq!(kind_of("informer-0-1"), Some("informer"));
        assert_eq!(kind_of("kab02-webhook"), Some("webhook"));
        assert_eq!(kind_of("webhook"), Some("webhook"));
        assert_eq!((kind_of("etcd"), kind_of("informers")), (None, None));
        assert_eq!(instance_of("kab02-webhook-77"), (Some("kab02"), "webhook-77"));
        assert_eq!(instance_of("informer-0"), (None, "informer-0"));
        assert_eq!(instance_of("kab-webhook"), (None, "kab-webhook"));
    }
}
