//! Todos as the apiserver takes and gives them. What is read is borrowed from
//! the answer: of a body of many kilobytes only little is wanted.

use std::borrow::Cow;

use kab_evidence::id::OpId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::{API_VERSION, KIND, code_of};
use crate::store::{Draft, Entity, Refused, Revision};

/// The object that a create sends.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct New<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: NewHead<'a>,
    spec: NewSpec<'a>,
}

#[derive(Serialize)]
struct NewHead<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

#[derive(Serialize)]
struct NewSpec<'a> {
    /// Only where the name is not the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    message: &'a str,
    when: &'a str,
}

#[derive(Serialize)]
struct Annotations {
    #[serde(rename = "kab.dev/op")]
    op: Option<OpId>,
}

/// The body of a create.
pub(super) fn new(
    name: &str,
    draft: &Draft<'_>,
    op: Option<OpId>,
) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&New {
        api_version: API_VERSION,
        kind: KIND,
        metadata: NewHead { name, annotations: op.map(|op| Annotations { op: Some(op) }) },
        spec: NewSpec {
            code: (name != draft.code).then_some(&draft.code),
            message: &draft.message,
            when: &draft.when,
        },
    })
}

/// The body of an update: a merge patch. It names the operation, or takes away
/// the name of the one before, which has not written this state.
pub(super) fn change(
    draft: &Draft<'_>,
    op: Option<OpId>,
    version: Option<&str>,
) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Change<'a> {
        metadata: Head<'a>,
        spec: NewSpec<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        annotations: Annotations,
        #[serde(skip_serializing_if = "Option::is_none")]
        resource_version: Option<&'a str>,
    }
    serde_json::to_vec(&Change {
        metadata: Head { annotations: Annotations { op }, resource_version: version },
        spec: NewSpec { code: None, message: &draft.message, when: &draft.when },
    })
}

/// The body of a delete of one state.
pub(super) fn removal(version: &str) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Options<'a> {
        preconditions: Preconditions<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Preconditions<'a> {
        resource_version: &'a str,
    }
    serde_json::to_vec(&Options { preconditions: Preconditions { resource_version: version } })
}

/// A Todo as it is read.
#[derive(Deserialize)]
pub(super) struct Stored<'a, Spec = StoredSpec<'a>> {
    #[serde(borrow)]
    pub(super) metadata: StoredHead<'a>,
    #[serde(default = "Option::default")]
    pub(super) spec: Option<Spec>,
    #[serde(borrow, default)]
    pub(super) status: Option<Status<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredHead<'a> {
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) resource_version: Cow<'a, str>,
    #[serde(default)]
    generation: i64,
    #[serde(borrow, default)]
    annotations: Option<StoredAnnotations<'a>>,
}

#[derive(Deserialize)]
struct StoredAnnotations<'a> {
    #[serde(borrow, default, rename = "kab.dev/op")]
    op: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct StoredSpec<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    when: Cow<'a, str>,
}

/// What the gateway writes into an entity's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    /// When the application was last told of it.
    #[serde(borrow, default)]
    pub(super) last_notified: Option<Cow<'a, str>>,
    /// Which state of the entity that was written to.
    #[serde(borrow, default)]
    pub(super) of: Option<Written<'a>>,
}

/// A state of an entity, whatever is in its status: a write of the status gives
/// the object another resourceVersion, too, but that is no change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written<'a> {
    /// Its generation, which changes with the spec,
    pub(super) generation: i64,
    /// the operation that wrote it (said also if there is none: in a patch, that
    /// takes away an earlier one),
    #[serde(borrow, default)]
    pub(super) op: Option<Cow<'a, str>>,
    /// and the resourceVersion that this got.
    #[serde(borrow)]
    pub(super) revision: Cow<'a, str>,
}

impl<'a, Spec> Stored<'a, Spec> {
    fn op_text(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.op.as_deref()
    }

    fn op(&self) -> Option<OpId> {
        self.op_text()?.parse().ok()
    }

    /// The resourceVersion that the entity got when it was last written, and
    /// not its status.
    pub(super) fn revision(&self) -> &str {
        let of = self.status.as_ref().and_then(|status| status.of.as_ref());
        let same = of.filter(|of| {
            of.generation == self.metadata.generation && of.op.as_deref() == self.op_text()
        });
        same.map_or(&*self.metadata.resource_version, |of| &*of.revision)
    }

    /// Its state, for a status to name.
    pub(super) fn written(&self) -> Written<'_> {
        Written {
            generation: self.metadata.generation,
            op: self.op_text().map(Cow::Borrowed),
            revision: Cow::Borrowed(self.revision()),
        }
    }
}

impl Stored<'_> {
    pub(super) fn entity(&self) -> Result<Entity, Refused> {
        let Some(spec) = &self.spec else {
            return Err(unreadable("missing field `spec`"));
        };
        Ok(Entity {
            id: self.metadata.uid.clone().into_owned(),
            code: code_of(&self.metadata.name, spec.code.as_deref()).to_owned(),
            message: spec.message.clone().into_owned(),
            when: spec.when.clone().into_owned(),
            revision: Revision(self.revision().to_owned()),
            op: self.op(),
        })
    }
}

impl Stored<'_, Value> {
    /// What can be read of it: one Todo that somebody has written otherwise
    /// must not keep everybody from hearing of the others.
    pub(super) fn loosely(&self) -> Entity {
        let spec = self.spec.as_ref();
        let text = |field: &str| spec.and_then(|spec| spec.get(field)?.as_str());
        Entity {
            id: self.metadata.uid.clone().into_owned(),
            code: code_of(&self.metadata.name, text("code")).to_owned(),
            message: text("message").unwrap_or_default().to_owned(),
            when: text("when").unwrap_or_default().to_owned(),
            revision: Revision(self.revision().to_owned()),
            op: self.op(),
        }
    }
}

/// An answer that says that it is good and cannot be read.
pub(super) fn unreadable(why: impl std::fmt::Display) -> Refused {
    Refused::Unavailable(format!("a Todo in the answer cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use kab_evidence::id::OP_ANNOTATION;
    use serde_json::json;

    use super::*;

    const OP: OpId = OpId::new(7, 9);

    fn todo(status: Value) -> String {
        json!({
            "metadata": {
                "name": "a", "uid": "u", "resourceVersion": "12", "generation": 3,
                "annotations": { OP_ANNOTATION: OP.to_string(), "other": "x" },
            },
            "spec": { "message": "m", "when": "w" },
            "status": status,
        })
        .to_string()
    }

    fn revision(status: Value) -> String {
        let todo = todo(status);
        let todo: Stored<'_> = serde_json::from_str(&todo).unwrap();
        let entity = todo.entity().unwrap();
        assert_eq!((entity.op, entity.code.as_str()), (Some(OP), "a"));
        entity.revision.0
    }

    #[test]
    fn a_write_of_the_status_is_no_change_of_the_entity() {
        assert_eq!(revision(json!(null)), "12");
        assert_eq!(revision(json!({ "deadLetters": 4 })), "12");
        let of = |generation: i64, op: Option<OpId>| {
            let op = op.map(|op| op.to_string());
            json!({ "lastNotified": "t", "of": { "generation": generation, "op": op, "revision": "9" } })
        };
        assert_eq!(revision(of(3, Some(OP))), "9");
        // Of another state, even where that looks the same.
        for status in [of(2, Some(OP)), of(3, None), of(3, Some(OpId::new(1, 1)))] {
            assert_eq!(revision(status), "12");
        }
    }

    #[test]
    fn the_state_that_a_status_names_survives_the_next_status() {
        let text =
            todo(json!({ "of": { "generation": 3, "op": OP.to_string(), "revision": "9" } }));
        let todo: Stored<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(todo.written().revision, "9");
    }

    #[test]
    fn an_update_takes_the_earlier_operation_away() {
        let draft = Draft { code: "a".into(), message: "m".into(), when: "w".into() };
        let patch: Value = serde_json::from_slice(&change(&draft, None, None).unwrap()).unwrap();
        assert_eq!(
            patch,
            json!({
                "metadata": { "annotations": { OP_ANNOTATION: null } },
                "spec": { "message": "m", "when": "w" },
            })
        );
        let patch = change(&draft, Some(OP), Some("5")).unwrap();
        let patch: Value = serde_json::from_slice(&patch).unwrap();
        assert_eq!(
            patch["metadata"],
            json!({ "annotations": { OP_ANNOTATION: OP.to_string() }, "resourceVersion": "5" })
        );
    }

    #[test]
    fn only_a_code_that_is_no_name_is_said_apart() {
        for (code, said) in [("milk", Value::Null), ("Milk", json!("Milk"))] {
            let draft = Draft { code: code.into(), message: "m".into(), when: "w".into() };
            let new = new(&crate::entity::name_of(code), &draft, None).unwrap();
            let new: Value = serde_json::from_slice(&new).unwrap();
            assert_eq!(new["spec"]["code"], said);
            assert_eq!(new["metadata"].as_object().unwrap().len(), 1);
        }
    }

    #[test]
    fn whatever_somebody_wrote_can_be_told() {
        for spec in [json!(null), json!(5), json!({ "when": [] })] {
            let text = json!({
                "metadata": { "name": "a", "uid": "u", "resourceVersion": "1" }, "spec": spec,
            });
            let text = text.to_string();
            assert!(
                serde_json::from_str::<Stored<'_>>(&text).map_or(true, |t| t.entity().is_err())
            );
            let todo: Stored<'_, Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(todo.loosely().when, "");
        }
    }
}
