import unittest

from tinysearch import Index, tokenize


class Tokens(unittest.TestCase):
    def test_words_are_lower_case_without_punctuation(self):
        self.assertEqual(tokenize("Cats, dogs_2 & CATS!"), ["cats", "dogs_2", "cats"])

    def test_letters_beyond_ascii_count(self):
        self.assertEqual(tokenize("Über-Öl"), ["über", "öl"])

    def test_nothing_has_no_words(self):
        self.assertEqual(tokenize(" -- "), [])


class Search(unittest.TestCase):
    def setUp(self):
        self.index = Index(["red fox", "Red hen", "blue fox, red beak"] * 5)

    def test_every_word_must_be_there(self):
        self.assertEqual(self.index.search("RED fox"), [0, 2, 3, 5, 6, 8, 9, 11, 12, 14])

    def test_unknown_words_and_no_words_find_nothing(self):
        self.assertEqual(self.index.search("red cow"), [])
        self.assertEqual(self.index.search("..."), [])

    def test_a_result_can_be_changed_without_harm(self):
        self.index.search("hen").clear()
        self.assertEqual(self.index.search("hen"), [1, 4, 7, 10, 13])


if __name__ == "__main__":
    unittest.main()
