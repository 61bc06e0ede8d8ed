"""Recordings in the place of effects."""

import json
import pathlib
import tempfile
import unittest

from homestar import digest, dns, https, keys, log, random, state
from homestar.effect import NotInComponent
from homestar.testing import Differs, recorded


def b(text: str) -> dict:
    return {"/": {"bytes": text}}


def call(name: str, args: list, answer) -> dict:
    return {"call": f"homestar:{name}", "args": args, "answer": answer}


PAGE = {"body": b("YWJj"), "headers": [["a", "b"]], "status": 200, "url": "https://example.com/"}
OPTIONS = {"connect-timeout-ms": None, "max-bytes": 3, "redirects": None, "timeout-ms": None}
GET = call("https/client.get", ["https://example.com/"], {"ok": PAGE})


class Recordings(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name, "calls.json")

    def recorded(self, *calls, out=None):
        out = out or {"ok": b("AQI")}
        self.path.write_text(json.dumps({"func": "f", "args": [b("AA"), {"a": 1}], "calls": calls, "out": out}))
        return recorded(self.path)

    def test_answers_are_those_of_the_modules(self):
        request = {"body": b("Yw"), "headers": [["x", "y"]], "method": "PUT", "options": OPTIONS, "url": "https://a/"}
        records = [
            {"data": {"mx": {"exchange": "mail.a", "preference": 10}}, "name": "a", "ttl": 60},
            {"data": {"a": "192.0.2.1"}, "name": "a", "ttl": 60},
            {"data": {"txt": [b("YQ")]}, "name": "a", "ttl": 60},
        ]
        with self.recorded(
            GET,
            call("https/client.send", [request], {"error": {"too-large": 3}}),
            call("dns/client.lookup", ["a", "mx"], {"ok": records}),
            call("dns/client.addresses", ["a"], {"error": {"not-found": None}}),
            call("random/random.u64", [], {"ok": 2**64 - 1}),
            call("random/random.bytes", [2], {"ok": b("AQI")}),
            call("std/state.get", ["b", "k"], {"ok": None}),
            call("std/state.set", ["b", "k", b("AQ")], {"ok": None}),
            call("std/state.list", ["b"], {"ok": ["k"]}),
            call("crypto/digest.hash", ["sha3-256", b("YQ")], b("AA")),
            call("crypto/keys.key.generate", ["aes128-gcm"], {"ok": 0}),
            call("crypto/keys.key.algorithm", [0], {"ok": "aes128-gcm"}),
            call("crypto/keys.key.encrypt", [0, b(""), b(""), b("YQ")], {"ok": b("Yg")}),
        ) as page:
            self.assertEqual((page.func, page.args, page.result), ("f", [b"\0", {"a": 1}], b"\1\2"))
            got = https.get("https://example.com/")
            self.assertEqual(got, https.Response(200, [("a", "b")], b"abc", "https://example.com/"))
            log.info("this is recorded nowhere")
            with self.assertRaisesRegex(https.TooLarge, "more than 3 bytes"):
                https.send("PUT", "https://a/", headers=[("x", "y")], body=b"c", max_bytes=3)
            found = [one.data for one in dns.lookup("a", dns.RecordType.MX)]
            self.assertEqual(found, [dns.Mx(10, "mail.a"), "192.0.2.1", [b"a"]])
            with self.assertRaises(dns.NotFound):
                dns.addresses("a")
            self.assertEqual((random.u64(), random.bytes(2)), (2**64 - 1, b"\1\2"))
            self.assertIsNone(state.get("b", "k"))
            state.set("b", "k", b"\1")
            self.assertEqual(state.keys("b"), ["k"])
            self.assertEqual(digest.hash(digest.Algorithm.SHA3_256, b"a"), b"\0")
            with keys.generate(keys.Algorithm.AES128_GCM) as key:
                self.assertIs(key.algorithm(), keys.Algorithm.AES128_GCM)
                self.assertEqual(key.encrypt(b"", b"", b"a"), b"b")
        with self.assertRaises(NotInComponent):
            https.get("https://example.com/")

    def differs(self, words: str, do, *calls):
        with self.assertRaises(Differs) as raised:
            with self.recorded(*calls):
                do()
        self.assertEqual(str(raised.exception), f"{self.path}: {words}")

    def test_the_first_call_that_differs_is_named(self):
        words = (
            'call 1 is another than was recorded\n  now       homestar:https/client.get("https://example.org/")\n'
            '  recorded  homestar:https/client.get("https://example.com/")'
        )
        self.differs(words, lambda: https.get("https://example.org/"), GET)

        def swallowed():
            try:
                https.get("https://example.org/")
            except Exception:
                random.uuid()

        self.differs(words, swallowed, GET)

        def then_wrong():
            try:
                https.get("https://example.org/")
            except Exception:
                raise ValueError("something else") from None

        self.differs(words, then_wrong, GET)

    def test_calls_that_are_left_over_or_too_many_are_named(self):
        def both():
            https.get("https://example.com/")
            random.uuid()

        self.differs("call 2 was not recorded:\n  homestar:random/random.uuid()", both, GET)
        words = 'call 2 is\n  homestar:https/client.get("https://example.com/")'
        self.differs(f"a recorded call was not made; {words}", lambda: https.get("https://example.com/"), GET, GET)
        words = 'call 1 is\n  homestar:https/client.get("https://example.com/")'
        self.differs(f"2 recorded calls were not made; {words}", lambda: None, GET, GET)

    def test_what_failed_otherwise_is_said_as_it_is(self):
        with self.assertRaisesRegex(ValueError, "mine"):
            with self.recorded(GET):
                raise ValueError("mine")

    def test_a_damaged_file_is_named(self):
        self.recorded(GET)
        whole = self.path.read_text()
        for text in (whole[: len(whole) // 2], "[]", "{}", whole.replace('"call"', '"cal"'), whole.replace('"ok": {"/"', '"k": {"/"')):
            self.path.write_text(text)
            with self.assertRaisesRegex(ValueError, f"{self.path} is damaged, or nothing that"):
                recorded(self.path)

    def test_a_task_that_failed_has_no_result(self):
        failed = {"error": {"kind": "guest", "message": "too late", "value": "too late"}}
        page = self.recorded(out=failed)
        self.assertEqual(page.error["value"], "too late")
        with self.assertRaisesRegex(ValueError, "the task failed: too late"):
            page.result
        with self.assertRaisesRegex(ValueError, "the task did not fail"):
            self.recorded().error


if __name__ == "__main__":
    unittest.main()
