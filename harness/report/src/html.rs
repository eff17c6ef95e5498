//! One self-contained page: no script, no font, no request.

use askama::Template;

use crate::page::{Page, Table};

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    page: &'a Page,
    style: &'static str,
}

/// The page as HTML.
///
/// # Errors
/// If it cannot be laid out.
pub fn html(page: &Page) -> Result<String, askama::Error> {
    Report { page, style: include_str!("../templates/style.css") }.render()
}

impl Report<'_> {
    /// The tables of the section on the ledger, those with rows.
    fn tables(&self) -> Vec<&Table> {
        let page = self.page;
        let all = [&page.ledger, &page.classes, &page.media, &page.coverage, &page.joins];
        all.into_iter().chain(&page.watch).filter(|table| !table.rows.is_empty()).collect()
    }
}
