//! Where kab keeps things, by the XDG Base Directory Specification.

use std::env;
use std::path::PathBuf;

/// `$OWN`, else `$XDG/kab`, else `~/FALLBACK/kab`; none if no home is known.
/// The specification says to ignore a relative `$XDG`.
pub(crate) fn folder(own: &str, xdg: &str, fallback: &str) -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = set(own).and_then(|path| std::path::absolute(path).ok());
    let shared = || set(xdg).filter(|path| path.is_absolute());
    let home = || set("HOME").map(|home| home.join(fallback));
    own.or_else(|| shared().or_else(home).map(|base| base.join("kab")))
}
