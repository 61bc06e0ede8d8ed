//! Titles of pages: an effect over HTTPS.

#[homestar_sdk::tasks]
mod titles {
    use homestar_sdk::https;

    /// The title of the page at `url`, if it has one.
    pub fn title(url: &str) -> Result<Option<String>, String> {
        let page = https::get(url)?.text();
        // In small letters, everything stands where it did.
        let lower = page.to_ascii_lowercase();
        let text = lower.find("<title>").and_then(|start| {
            let start = start + "<title>".len();
            let length = lower[start..].find("</title>")?;
            Some(&page[start..start + length])
        });
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(text.map(words))
    }
}

#[cfg(test)]
mod tests {
    use super::titles::*;
    use homestar_sdk::{https, testing};

    /// Answers with this.
    struct Site(Result<https::Response, https::Error>);

    impl https::Host for Site {
        fn send(&self, _: &https::Request) -> Result<https::Response, https::Error> {
            self.0.clone()
        }
    }

    fn title_of(answer: Result<https::Response, https::Error>) -> Result<Option<String>, String> {
        let _site = https::stand_in(Site(answer));
        title("https://example.com/")
    }

    #[test]
    fn it_stands_in_the_page() {
        let page = https::Response::new(200, "<html><TITLE>Fish\n chips</TITLE>");
        assert_eq!(title_of(Ok(page)), Ok(Some("Fish chips".into())));
    }

    #[test]
    fn a_page_may_have_none() {
        assert_eq!(title_of(Ok(https::Response::new(404, ""))), Ok(None));
    }

    #[test]
    fn what_https_says_is_said() {
        let error = title_of(Err(https::Error::Timeout)).unwrap_err();
        assert_eq!(error, "the server took too long");
    }

    #[test]
    fn it_is_the_one_that_was_recorded() {
        let page = testing::recorded("page.json");
        let found = title(page.args()[0].as_str().unwrap()).unwrap();
        assert_eq!(found.as_deref(), page.result().as_str());
    }
}
