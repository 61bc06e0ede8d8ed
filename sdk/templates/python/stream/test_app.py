import unittest

from app import count, filter

TEXT = "an error\nfine\nerrors: äöü".encode()


async def pieces(size: int):
    for at in range(0, len(TEXT), size):
        yield TEXT[at : at + size]


class Lines(unittest.IsolatedAsyncioTestCase):
    async def test_they_are_found_wherever_pieces_end(self):
        for size in range(1, len(TEXT) + 1):
            self.assertEqual(await count(pieces(size), "error"), 2)
            found = b"".join([piece async for piece in filter(pieces(size), "error")])
            self.assertEqual(found.decode(), "an error\nerrors: äöü")


if __name__ == "__main__":
    unittest.main()
