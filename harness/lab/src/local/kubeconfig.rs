//! A kubeconfig with everything in it that its user needs.

use serde_json::{Value, json};

use super::pki::Identity;

/// The kubeconfig of `user` for the apiserver at `server`. As JSON, which is
/// YAML too.
pub(super) fn kubeconfig(server: &str, user: &Identity) -> String {
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "kab",
            "cluster": { "server": server, "certificate-authority-data": base64(user.ca_pem()) },
        }],
        "users": [{
            "name": "kab",
            "user": {
                "client-certificate-data": base64(user.cert_pem()),
                "client-key-data": base64(user.key_pem()),
            },
        }],
        "contexts": [{ "name": "kab", "context": { "cluster": "kab", "user": "kab" } }],
        "current-context": "kab",
    });
    format!("{config:#}\n")
}

/// Base 64 of RFC 4648, section 4.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(text.len().div_ceil(3) * 4);
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0, |bits, i| (bits << 8) | usize::from(*chunk.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            if digit <= chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * digit)) & 63]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_of_the_rfcs_test_vectors() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, expected) in vectors {
            assert_eq!(super::base64(text), expected);
        }
    }
}
