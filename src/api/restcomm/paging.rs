//! The paged list object: `page, num_pages, page_size, total, start, end, uri, …`.

use serde::Serialize;

use crate::api::error::ApiError;

use super::params::Params;

/// The most rows of one page.
const MOST: u64 = 1_000;

/// The highest page: every row before it can still be counted in SQL.
const LAST: u64 = u32::MAX as u64;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// From 0 on.
    pub(crate) number: u64,
    /// Rows of a page.
    pub(crate) size: u64,
}

/// Where a page stands in its list, in the documented key order. `start` and `end` are texts, and
/// the neighbour that is not there is the text `null`, as clients know it.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Position {
    page: u64,
    num_pages: u64,
    page_size: u64,
    total: u64,
    start: String,
    end: String,
    uri: String,
    first_page_uri: String,
    previous_page_uri: String,
    next_page_uri: String,
    last_page_uri: String,
}

impl Page {
    /// `Page` (0) and `PageSize` (50).
    pub(crate) fn of(params: &Params) -> Result<Self, ApiError> {
        let size = params.count("PageSize")?.unwrap_or(50);
        if size == 0 || size > MOST {
            return Err(ApiError::bad(format!("PageSize is {size}: use 1 to {MOST}")));
        }
        let number = params.count("Page")?.unwrap_or(0);
        if number > LAST {
            return Err(ApiError::bad(format!("Page is {number}: use at most {LAST}")));
        }
        Ok(Self { number, size })
    }

    /// Rows before this page.
    pub(crate) fn offset(self) -> u64 {
        self.number.saturating_mul(self.size)
    }

    /// Where this page stands in a list of `total` rows at `uri`; `filters` are query pairs that go
    /// along with every page, `last` is the last row's sid.
    ///
    /// `num_pages` is the number of the last page: whole pages below the total, as documented.
    pub(crate) fn position(
        self,
        total: u64,
        items: u64,
        uri: &str,
        filters: &[(&str, &str)],
        last: Option<&str>,
    ) -> Result<Position, ApiError> {
        let last_page = total / self.size;
        if self.number > last_page {
            return Err(ApiError::bad(format!(
                "Page is {}, and the last page of {total} rows is {last_page}",
                self.number
            )));
        }
        let at = |page: u64, after: Option<&str>| page_uri(uri, page, self.size, filters, after);
        let start = self.offset();
        let none = || "null".to_owned();
        Ok(Position {
            page: self.number,
            num_pages: last_page,
            page_size: self.size,
            total,
            start: start.to_string(),
            end: (start + items.saturating_sub(1)).to_string(),
            uri: uri.to_owned(),
            first_page_uri: at(0, None),
            previous_page_uri: if self.number == 0 { none() } else { at(self.number - 1, None) },
            next_page_uri: if self.number == last_page { none() } else { at(self.number + 1, last) },
            last_page_uri: at(last_page, None),
        })
    }
}

fn page_uri(uri: &str, page: u64, size: u64, filters: &[(&str, &str)], after: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("Page", &page.to_string()).append_pair("PageSize", &size.to_string());
    query.extend_pairs(filters);
    if let Some(after) = after {
        query.append_pair("AfterSid", after);
    }
    format!("{uri}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "/api/2012-04-24/Accounts/AC1/IncomingPhoneNumbers";

    fn page(number: u64) -> Page {
        Page { number, size: 50 }
    }

    #[test]
    fn a_page_beyond_counting_is_refused_before_the_store_is_asked() {
        let asked = |query: &str| Page::of(&Params::parse(query.as_bytes(), &["Page", "PageSize"]));
        assert_eq!(asked("Page=4294967295&PageSize=50").unwrap(), page(4_294_967_295));
        assert!(asked("Page=9223372036854775807").is_err());
    }

    #[test]
    fn of_501_rows_the_last_page_is_number_10() {
        let first = page(0).position(501, 50, URI, &[], Some("PN2")).unwrap();
        assert_eq!((first.num_pages, first.start.as_str(), first.end.as_str()), (10, "0", "49"));
        assert_eq!(first.next_page_uri, format!("{URI}?Page=1&PageSize=50&AfterSid=PN2"));
        assert_eq!(first.previous_page_uri, "null");
        let third = page(2).position(501, 50, URI, &[], None).unwrap();
        assert_eq!((third.start.as_str(), third.end.as_str()), ("100", "149"));
        let last = page(10).position(501, 1, URI, &[], None).unwrap();
        assert_eq!((last.end.as_str(), last.next_page_uri.as_str()), ("500", "null"));
    }

    #[test]
    fn a_page_beyond_the_last_is_refused() {
        let error = page(11).position(501, 0, URI, &[], None).unwrap_err();
        assert_eq!(error.message, "Page is 11, and the last page of 501 rows is 10");
    }

    #[test]
    fn an_empty_list_has_one_empty_page() {
        let only = page(0).position(0, 0, URI, &[], None).unwrap();
        assert_eq!((only.num_pages, only.start.as_str(), only.end.as_str()), (0, "0", "0"));
        assert_eq!(only.next_page_uri, "null");
    }

    #[test]
    fn filters_go_along_from_page_to_page() {
        let first = page(0).position(60, 50, URI, &[("PhoneNumber", "+1*")], None).unwrap();
        assert_eq!(first.next_page_uri, format!("{URI}?Page=1&PageSize=50&PhoneNumber=%2B1*"));
    }

    #[test]
    fn page_sizes_have_bounds() {
        for query in ["PageSize=0", "PageSize=1001", "PageSize=x", "Page=-1"] {
            let params = Params::parse(query.as_bytes(), &["Page", "PageSize"]);
            assert_eq!(Page::of(&params).unwrap_err().status, 400, "{query}");
        }
    }
}
