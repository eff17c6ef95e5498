//! `attempt`: single requests, and what came of them.

use std::time::Duration;

use kab_backend::client::{connect, connect_as_nobody};
use kab_backend::deploy::DeployError;
use kab_evidence::attempt::AttemptRecord;
use kab_evidence::clock::Mono;
use kab_evidence::jsonl::JsonlWriter;
use kab_scenario::model::{Attempt, Identity, Method, Via, filled};
use kube::Client;
use serde_json::{Value, json};

use super::{StepError, results};
use crate::ask::{self, Answer, Question, ask};
use crate::cell::Cell;
use crate::instances;
use crate::recorder::StepResults;

/// How long after an answer that is not the one awaited it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

pub async fn run(
    name: &str,
    step: &Attempt,
    cell: &mut Cell<'_>,
) -> Result<StepResults, StepError> {
    let client = client(step, cell).await?;
    let question = question(step, cell);
    let file = JsonlWriter::append_to(&cell.folder().attempts_path())?;
    let stop = cell.stop();
    let mut last = None;
    for _ in 0..step.repeat {
        let answer = tokio::select! {
            () = stop.wait() => return Ok(StepResults::new()),
            answer = patiently(&client, &question, step) => answer?,
        };
        let record = record(name, step, &question, &answer);
        file.append(record.clone());
        last = Some(record);
    }
    file.finish()?;
    let Some(last) = last else { return Ok(StepResults::new()) };
    tell(name, &last, cell);
    if let Some(text) = last.selected.as_ref().and_then(ask::as_text) {
        cell.selected.insert(name.to_owned(), text);
    }
    let took = last.done.since(last.sent).as_secs_f64() * 1e3;
    let mut found = results([
        ("class", json!(last.class.name())),
        ("milliseconds", json!(took)),
        ("bytes", json!(last.bytes_in)),
        ("attempts", json!(step.repeat)),
    ]);
    found.extend(last.status.map(|status| ("status".to_owned(), json!(status))));
    found.extend(last.selected.map(|selected| ("selected".to_owned(), json!(selected))));
    Ok(found)
}

fn tell(name: &str, last: &AttemptRecord, cell: &Cell<'_>) {
    let status = last.status.map_or_else(|| last.excerpt.clone(), |status| status.to_string());
    cell.say(&format!("{name}: {} {}: {status}, {}", last.method, last.path, last.class));
}

/// Asks, and asks again as long as another status is awaited.
async fn patiently(
    client: &Client,
    question: &Question,
    step: &Attempt,
) -> Result<Answer, StepError> {
    let deadline = step.deadline.duration();
    let began = Mono::now();
    loop {
        let answer = ask(client, question, deadline).await?;
        let Some(until) = &step.until else { return Ok(answer) };
        let over = Mono::now().since(began) >= until.at_most.duration();
        if answer.status == Some(until.status) || over {
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn client(step: &Attempt, cell: &Cell<'_>) -> Result<Client, StepError> {
    if step.via == Via::Gateway {
        return Ok(ask::plain(&cell.system.gateway_url())?);
    }
    let admin = cell.local.as_ref().map(|local| local.kubeconfig());
    let admin = admin.ok_or(DeployError::NoApiserver)?;
    let account = match step.asker() {
        Identity::Anonymous => return Ok(connect_as_nobody(admin).await?),
        Identity::Admin => admin.to_owned(),
        Identity::Gateway | Identity::Informer => cell.system.app_account(step.asker().name())?,
        Identity::Load => cell.system.load_account(0).await?,
        Identity::Watcher => cell.system.watch_account().await?,
    };
    Ok(connect(&account).await?)
}

fn question(step: &Attempt, cell: &Cell<'_>) -> Question {
    let meaning = |name: &str| meaning(name, cell);
    let fill = |text: &str| filled(text, meaning);
    let body = match &step.body {
        None => Vec::new(),
        Some(Value::String(text)) => fill(text).into_bytes(),
        // A value without any key that is no text: this cannot fail.
        Some(body) => serde_json::to_vec(&with_texts(body, &fill)).unwrap_or_default(),
    };
    let mut headers: Vec<_> =
        step.headers.iter().map(|(name, value)| (name.to_lowercase(), fill(value))).collect();
    let mut default = |name: &str, value: &str| {
        if headers.iter().all(|(there, _)| there != name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    };
    default("accept", "application/json");
    if step.body.is_some() {
        let patch = step.method == Method::Patch;
        let kind = if patch { "application/merge-patch+json" } else { "application/json" };
        default("content-type", kind);
    }
    Question { method: step.method.to_string(), path: fill(&step.path), headers, body }
}

/// What `{name}` stands for.
fn meaning(name: &str, cell: &Cell<'_>) -> Option<String> {
    if let Some(number) = name.strip_prefix("namespace") {
        return match number {
            "" => Some(cell.system.namespace().to_owned()),
            number => number.parse().ok().map(instances::name),
        };
    }
    cell.selected.get(name).cloned()
}

/// `value` with every text in it filled in.
fn with_texts(value: &Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => fill(text).into(),
        Value::Array(items) => items.iter().map(|item| with_texts(item, fill)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), with_texts(value, fill)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn record(name: &str, step: &Attempt, question: &Question, answer: &Answer) -> AttemptRecord {
    let (via, identity) = match step.via {
        Via::Gateway => ("gateway", "anonymous"),
        Via::Apiserver => ("apiserver", step.asker().name()),
    };
    AttemptRecord {
        step: name.to_owned(),
        via: via.to_owned(),
        identity: identity.to_owned(),
        method: question.method.clone(),
        path: question.path.clone(),
        sent: answer.sent,
        done: answer.done,
        status: answer.status,
        class: answer.class,
        bytes_out: question.body.len() as u64,
        bytes_in: answer.body.len() as u64,
        selected: step
            .select
            .as_ref()
            .filter(|_| answer.status.is_some())
            .and_then(|pointer| ask::select(&answer.body, pointer)),
        excerpt: answer.excerpt.clone(),
    }
}
