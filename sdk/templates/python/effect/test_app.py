import unittest
from unittest import mock

from homestar import https
from homestar.testing import recorded

from app import title


class Title(unittest.TestCase):
    def test_it_stands_in_the_page(self):
        page = https.Response(200, body=b"<html><TITLE>Fish &amp;\n chips</TITLE>")
        with mock.patch("homestar.https.get", return_value=page):
            self.assertEqual(title("https://example.com/"), "Fish & chips")

    def test_a_page_may_have_none(self):
        with mock.patch("homestar.https.get", return_value=https.Response(404)):
            self.assertIsNone(title("https://example.com/"))

    def test_what_https_says_is_said(self):
        with mock.patch("homestar.https.get", side_effect=https.Timeout()):
            with self.assertRaises(https.Timeout):
                title("https://example.com/")

    def test_it_is_the_one_that_was_recorded(self):
        with recorded("page.json") as page:
            self.assertEqual(title(*page.args), page.result)


if __name__ == "__main__":
    unittest.main()
