import unittest

from app import Word, top, words
from flow import top_words


class Tasks(unittest.TestCase):
    def test_words_are_counted(self):
        self.assertEqual(words("To be, or be"), [Word("to", 1), Word("be", 2), Word("or", 1)])

    def test_the_most_frequent_comes_first(self):
        self.assertEqual(top([words("a b"), words("b")], 1), [Word("b", 2)])
        with self.assertRaises(ValueError):
            top([], 1)


class Flow(unittest.TestCase):
    def test_each_text_is_a_task(self):
        tasks = top_words(["a", "b"]).file()["tasks"]
        self.assertEqual(list(tasks), ["words", "words-2", "top"])
        self.assertEqual(tasks["top"]["args"], [[{"await/ok": "words"}, {"await/ok": "words-2"}], 3])

    def test_what_does_not_fit_is_told(self):
        with self.assertRaisesRegex(TypeError, "takes string, not 1"):
            top_words([1])  # type: ignore


if __name__ == "__main__":
    unittest.main()
