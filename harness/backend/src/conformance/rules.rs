//! The business's rules: what breaks one is refused, and what does not is not.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, WHEN, Wanted, draft};
use crate::rules::{Broken, LONGEST_MESSAGE};
use crate::store::{Difference, Draft, Refused, Store};

pub(super) async fn kept<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let mut seen = BTreeSet::new();
    let mut taken = Vec::new();
    for rule in Broken::ALL {
        let code = bench.code(&format!("rule-{}", format!("{rule:?}").to_lowercase()));
        let answer = breaking(bench, rule, &code).await?;
        if answer.is_ok() {
            taken.push(rule);
            // One bad entity may keep everybody from listing.
            bench.delete(&code, None).await?;
            continue;
        }
        seen.extend(bench.refused(&format!("breaking {rule:?}"), &answer, Wanted::Invalid)?);
        if rule == Broken::PutOffTooFar {
            let left = bench.get(&code).await?;
            if left.when != EARLY {
                return Err(format!("an update was refused and done: {left:?}"));
            }
        } else {
            seen.extend(bench.absent(&code).await?);
        }
    }
    match taken.len() {
        0 => Ok(seen),
        all if all == Broken::ALL.len() => {
            seen.insert(Difference::NoRules);
            Ok(seen)
        }
        _ => Err(format!("it lets these rules be broken: {taken:?}")),
    }
}

/// Long before [`WHEN`].
const EARLY: &str = "2001-01-01T00:00:00Z";

/// The answer to a write that breaks `rule`.
async fn breaking<S: Store>(
    bench: &Bench<'_, S>,
    rule: Broken,
    code: &str,
) -> Result<Result<(), Refused>, String> {
    let (message, when) = match rule {
        Broken::BlankMessage => (" \t".to_owned(), WHEN),
        Broken::LongMessage => ("x".repeat(LONGEST_MESSAGE + 1), WHEN),
        Broken::NoTime => ("m".to_owned(), "tomorrow"),
        Broken::OtherCentury => ("m".to_owned(), "1999-12-31T23:59:59Z"),
        Broken::PutOffTooFar => ("m".to_owned(), EARLY),
    };
    let new = Draft { code: code.into(), message: message.into(), when: when.into() };
    if rule != Broken::PutOffTooFar {
        return Ok(bench.store.create(None, &new).await.answer.map(drop));
    }
    bench.create(None, &new).await?;
    Ok(bench.store.update(None, &draft(code, "m"), None).await.answer.map(drop))
}

/// As many characters as the rules allow, each of two bytes.
pub(super) async fn large<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let code = bench.code("large");
    let message = "ä".repeat(LONGEST_MESSAGE);
    match bench.store.create(None, &draft(&code, &message)).await.answer {
        Ok(made) => {
            let found = bench.get(&code).await?;
            bench.delete(&code, None).await?;
            match found.message == message && found.id == made.id {
                true => Ok(BTreeSet::new()),
                false => Err("a large message came back as another one".to_owned()),
            }
        }
        Err(Refused::TooLarge(_)) => {
            let mut seen = bench.absent(&code).await?;
            seen.insert(Difference::SmallEntities);
            Ok(seen)
        }
        Err(Refused::Indeterminate(_)) if bench.one_refusal => {
            let mut seen = bench.absent(&code).await?;
            seen.extend([Difference::SmallEntities, Difference::OneRefusal]);
            Ok(seen)
        }
        Err(why) => Err(format!("a large message was refused as {why:?}")),
    }
}
