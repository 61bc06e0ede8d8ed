import unittest

from app import Word, top_words


class TopWords(unittest.TestCase):
    def test_the_most_frequent_comes_first(self):
        words = top_words("To be, or not to be: to …", 2)
        self.assertEqual(words, [Word("to", 3), Word("be", 2)])

    def test_without_words_there_is_no_answer(self):
        with self.assertRaises(ValueError):
            top_words("?!", 1)


if __name__ == "__main__":
    unittest.main()
