//! Codes, which may be any text.

use std::collections::BTreeSet;

use super::Seen;
use super::bench::{Bench, Wanted, draft};
use super::lists::everything;
use crate::store::{Difference, Store};

/// Codes that are no DNS subdomains: with what means something in a URL, in
/// JSON, in a selector.
const ODD: [&str; 3] = ["Milk", "ä / b?c=d&e%2F,\"f\" \\g", "x-..-"];

pub(super) async fn any<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let mut seen = BTreeSet::new();
    let mut refused = 0;
    for odd in ODD {
        let code = bench.code(odd);
        let answer = bench.store.create(None, &draft(&code, "odd")).await.answer;
        let Ok(made) = answer else {
            refused += 1;
            let what = format!("creating {code:?}");
            seen.extend(bench.refused(&what, &answer, Wanted::Invalid)?);
            continue;
        };
        if made.code != code {
            return Err(format!("created {code:?} and got {:?}", made.code));
        }
        bench.present(&made).await?;
        let again = bench.store.create(None, &draft(&code, "again")).await.answer;
        seen.extend(bench.refused("creating an odd code twice", &again, Wanted::Conflict)?);
        let updated = bench.update(&draft(&code, "changed"), Some(&made.revision)).await?;
        bench.present(&updated).await?;
        bench.delete(&code, None).await?;
        seen.extend(bench.absent(&code).await?);
    }
    match refused {
        0 => Ok(seen),
        _ if refused == ODD.len() => {
            seen.insert(Difference::PlainCodes);
            Ok(seen)
        }
        _ => Err(format!("it takes some of the codes {ODD:?}, but not all")),
    }
}

/// In the order of their bytes, the odd one comes between the two others; as
/// names that are made of codes, never.
pub(super) async fn order<S: Store>(bench: &Bench<'_, S>) -> Seen {
    let codes = ["1", "A", "a"].map(|last| bench.code(&format!("order{last}")));
    let mut made = Vec::new();
    for code in &codes {
        match bench.store.create(None, &draft(code, "ordered")).await.answer {
            Ok(entity) => made.push(entity.code),
            // That is another case.
            Err(_) if *code == codes[1] => {}
            Err(why) => return Err(format!("creating {code:?}: {why}")),
        }
    }
    let listed = everything(bench).await?;
    let listed: Vec<_> =
        listed.into_iter().filter(|e| bench.is(e, "order")).map(|e| e.code).collect();
    if listed == made {
        return Ok(BTreeSet::new());
    }
    let mut sorted = listed.clone();
    sorted.sort();
    match sorted == made {
        true => Ok([Difference::OwnOrder].into()),
        false => Err(format!("created {made:?} and listed {listed:?}")),
    }
}
