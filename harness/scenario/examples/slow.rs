//! x
fn main() {
    let n = 20_000;
    let q = include_str!("../../../scenarios/quickstart.yaml");
    let cel = |s: String| q.replace("write.stored.missing > 0", &s);
    for (name, text) in [
        ("[", "[".repeat(n)), ("{", "{".repeat(n)), ("- ", "- ".repeat(n)), ("? ", "? ".repeat(n)), ("a: ", "a: ".repeat(n)), ("!", "!".repeat(n)), ("&a", "&a ".repeat(n)), ("\"", "\"".repeat(n)), ("a\\n", "a\n".repeat(n)), (" \\n", " \n".repeat(n)),
        ("keys", (0..5_000).map(|i| format!("a{i}: 1\n")).collect()),
        ("anchors", (0..5_000).map(|i| format!("a{i}: &b{i} 1\n")).collect()),
        ("dups", "a: 1\n".repeat(5_000)),
        ("base", q.to_owned()),
        ("((", cel(format!("{}1{}", "(".repeat(90), ")".repeat(90)))),
        ("!!", cel("!".repeat(190))),
        ("+1", cel(format!("1{} > 1", "+1".repeat(90)))),
        (".a", cel(format!("run{}", ".a".repeat(90)))),
        ("[[", cel(format!("{}1", "[".repeat(190)))),
    ] {
        let t = std::process::Command::new("date").arg("+%s%N").output().unwrap();
        let t0: u128 = String::from_utf8(t.stdout).unwrap().trim().parse().unwrap();
        let r = kab_scenario::load_text("a", text, None, &[]);
        let what = match r { Ok(_) => "ok".to_owned(), Err(p) => { let s = p.render(kab_scenario::Style::Plain); s.lines().next().unwrap().chars().take(60).collect() } };
        let t = std::process::Command::new("date").arg("+%s%N").output().unwrap();
        let t1: u128 = String::from_utf8(t.stdout).unwrap().trim().parse().unwrap();
        println!("{name:8} {} ms {what}", (t1 - t0) / 1_000_000);
    }
}
