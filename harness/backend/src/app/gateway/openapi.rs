//! The API's document, made from its handlers.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{Modify, OpenApi};

use super::messages::ProblemView;
use super::{changes, list, notifications, todo, transactions, validate};

/// What a gateway without defect 11 offers.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Todos",
        description = "Todos by their business code, whatever keeps them: custom resources, or \
                       tables. Problems are told as RFC 9457 has it; their `type` says which kind \
                       they are of. A `traceparent` header (W3C Trace Context) goes along with \
                       every write.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        todo::create, list::list, todo::get, todo::update, todo::delete,
        changes::changes, transactions::transact, validate::validate,
        notifications::notify, notifications::notifications,
    ),
    tags(
        (name = "todo", description = "One Todo, and all"),
        (name = "changes", description = "What happens to Todos"),
        (name = "transactions", description = "Several writes as one"),
        (name = "rules", description = "What a Todo must be"),
        (name = "notifications", description = "Of what the application was told"),
    ),
    components(schemas(ProblemView<'static>)),
    modifiers(&Problems),
)]
struct Api;

/// Every answer that is no success is a problem.
struct Problems;

impl Modify for Problems {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let operations = api.paths.paths.values_mut().flat_map(|item| {
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
        });
        for operation in operations {
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if status.starts_with(['4', '5']) {
                    let problem = Ref::from_schema_name("Problem");
                    let content = ContentBuilder::new().schema(Some(problem)).build();
                    response
                        .content
                        .insert("application/problem+json".to_owned(), RefOr::T(content));
                }
            }
        }
    }
}

/// The document, as JSON.
pub static DOCUMENT: LazyLock<String> =
    LazyLock::new(|| Api::openapi().to_pretty_json().unwrap_or_default());

pub(super) async fn document() -> Response {
    let media = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media)], DOCUMENT.as_str()).into_response()
}
