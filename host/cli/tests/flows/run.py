"""Runs workflows, and looks at what comes of them. It is run where the components of the cases lie."""

import asyncio
import math
import pathlib
import unittest

import add
import each
import image
import lines
import mender
import pictures
import sums
import text
import values
import zoo
from homestar.flow import Component, Err, File, HomestarError, Link, Ok, RunError, Secret, Task, WorkflowError
from homestar.flow import component, for_each, workflow


def raised(kind: type[BaseException], call) -> str:
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class Written(unittest.TestCase):
    """What Python itself says against a workflow, where it is written."""

    def says(self, call, kind: type[BaseException], words: str) -> None:
        @workflow
        def one() -> None:
            self.assertEqual(raised(kind, call), words)
            zoo.nothing()

        one()

    def test_calls_that_do_not_fit(self) -> None:
        arity = "echo_u32() missing 1 required positional argument: 'value'"
        self.says(lambda: zoo.echo_u32(), TypeError, arity)
        self.says(lambda: zoo.echo_u33(7), AttributeError, "module 'zoo' has no attribute 'echo_u33'")
        words = "echo_u32(): the argument `value` takes u32, from 0 to 4294967295, not 4294967296"
        self.says(lambda: zoo.echo_u32(2**32), TypeError, words)
        words = "echo_list_u32(): the argument `value` takes u32 at `[1]`, not 'a'"
        self.says(lambda: zoo.echo_list_u32([1, "a"]), TypeError, words)
        words = "echo_point(): the argument `value` takes f64 at `y`, not None"
        self.says(lambda: zoo.echo_point(zoo.Point(1, None)), TypeError, words)
        words = "grayscale(): the argument `image` takes bytes, a File or a Link, not 'cat.png'"
        self.says(lambda: image.grayscale("cat.png"), TypeError, words)
        words = "echo_color(): the argument `value` takes Color (red, green, blue, dark-grey), not 'pink'"
        self.says(lambda: zoo.echo_color("pink"), TypeError, words)

    def test_what_is_not_known_yet(self) -> None:
        unknown = "what the task `echo-u32` gives isn't known before the workflow runs, so "
        for call, words in [
            (lambda: [one for one in zoo.echo_u32(1)], "there is nothing yet to go through; `for_each(it, function)` does it when it runs"),
            (lambda: 1 if zoo.echo_u32(1).options(label="b") else 2, "there is nothing yet to decide by; a task can decide, or `catch`"),
            (lambda: f"{zoo.echo_u32(1).options(label='c')}", "there is no text of it yet; a task can make one"),
        ]:

            @workflow
            def one() -> None:
                self.assertTrue(raised(TypeError, call).endswith(words))
                zoo.nothing()

            one()
        self.says(lambda: zoo.echo_u32(1).width, AttributeError, unknown + "it has no `width` yet; a task can pick".replace("so ", ""))

    def test_what_belongs_elsewhere(self) -> None:
        words = "echo_u32() makes a task of a workflow; call it in a function with `@workflow` before it"
        self.assertEqual(raised(RuntimeError, lambda: zoo.echo_u32(1)), words)
        kept: list[Task[int]] = []

        @workflow
        def first() -> None:
            kept.append(zoo.echo_u32(1))

        first()
        words = f"echo_u32(): the task at {kept[0]._place} is one of another workflow"
        self.says(lambda: zoo.echo_u32(kept[0]), ValueError, words)

        def outside() -> None:
            elements = []
            for_each([1], lambda one: elements.append(one) or zoo.echo_u32(one))
            zoo.echo_u32(elements[0])

        words = "echo_u32(): the element of a `for_each` means nothing outside of its function"
        self.says(outside, ValueError, words)

        def twice() -> None:
            for_each([1], lambda one: [zoo.echo_u32(one), zoo.numbers_twice(one)][1])

        words = "echo-u32() takes the element, but only the task that is returned is done for each"
        self.says(twice, ValueError, words)
        self.says(lambda: for_each(3, zoo.echo_u32), TypeError, "for_each() goes through a list, a dict, a folder or what a task gives, not 3")
        words = "the label 'a b' is no word: letters, digits, `-`, `_` and `.`, 100 bytes at the most"
        self.says(lambda: zoo.echo_u32(1).options(label="a b"), ValueError, words)

        @workflow
        def none() -> None:
            pass

        self.assertEqual(raised(ValueError, none), "none() calls no task")


class Refused(unittest.TestCase):
    """What the program says against a workflow, with the place in Python."""

    def test_problems_have_places(self) -> None:
        @workflow
        def bad():
            words = zoo.echo_string("a")
            zoo.echo_u32(words)
            zoo.echo_u32(1).options(limits={"fule": 1})
            Component("nowhere.wasm").call("echo-u32", zoo.echo_u32, 1)
            return image.grayscale(File("nowhere.png"))

        with self.assertRaises(WorkflowError) as caught:
            bad().check()
        # Form comes first.
        self.assertEqual(len(caught.exception.problems), 1)
        self.assertIn(": task `echo-u32-2`: ", caught.exception.problems[0])
        self.assertIn("fuel", caught.exception.problems[0])

        @workflow
        def worse():
            words = zoo.echo_string("a")
            zoo.echo_u32(words)
            return image.grayscale(File("nowhere.png"))

        for refused in [worse().check, worse().cid, worse().run]:
            with self.assertRaises(WorkflowError) as caught:
                refused()
            first, second = caught.exception.problems
            self.assertRegex(first, r"^run.py:\d+: task `echo-u32`: parameter `value` of .* takes `u32`, but `await/ok`")
            self.assertRegex(second, r"^run.py:\d+: task `grayscale`: can't read nowhere.png")


class Ran(unittest.TestCase):
    def test_values_receipts_and_memory(self) -> None:
        run = sums.flow().run()
        self.assertEqual(run.result, 8)
        self.assertEqual(sorted(run.receipts), ["add", "add-2", "total"])
        self.assertEqual(run.counts["all"], 3)
        receipt = run.receipts["total"]
        self.assertEqual((receipt.task, receipt.pure, receipt.facts["out"]), ("total", True, {"ok": 8}))
        self.assertTrue(receipt.issuer.startswith("did:key:z"))
        again = sums.flow().run()
        self.assertEqual((again.result, again.receipts["total"].how), (8, "memoised"))
        self.assertEqual(again.receipts["total"].cid, receipt.cid)
        fresh = sums.flow().run(use_receipts=False)
        self.assertEqual(fresh.receipts["total"].how, "ran")
        self.assertEqual(run.workflow, sums.flow().cid())

    def test_native_values(self) -> None:
        person = values.flow().run().result
        home = zoo.Point(1.0, 2.5)
        self.assertEqual((person.name, person.age, person.home), ("Ada", None, home))
        self.assertEqual((person.portrait, person.favourite), (b"\1\2\3", zoo.Color.DARK_GREY))
        self.assertEqual(person.nick_names, ["a", 'null "é"\n'])
        self.assertEqual(math.copysign(1, person.work.y), -1)

        @workflow
        def shapes():
            return {
                "shape": zoo.echo_shape(zoo.ShapeRectangle((1, 2))),
                "nothing": zoo.echo_shape(zoo.ShapeNothing()),
                "flags": zoo.echo_permissions({zoo.Permissions.READ}),
                "some": zoo.echo_option_option((None,)),
                "none": zoo.echo_option_option(None),
                "result": zoo.echo_result_nested(Ok(Err("bad"))),
                "pairs": zoo.echo_pairs([("b", 2**64 - 1)]),
                "tuple": zoo.echo_tuple_nested(((1, True), None)),
                "nan": zoo.echo_f64(math.nan),
                "f32": zoo.echo_f32(0.1),
                "many": (zoo.many_results(), [zoo.nothing()]),
                "plain": 3,
            }

        result = shapes().run().result
        self.assertEqual(result["shape"], zoo.ShapeRectangle((1.0, 2.0)))
        self.assertEqual(result["nothing"], zoo.ShapeNothing())
        self.assertEqual(result["flags"], {zoo.Permissions.READ})
        self.assertEqual((result["some"], result["none"]), ((None,), None))
        self.assertEqual(result["result"], Err("bad"))
        self.assertEqual(result["pairs"], [("b", 2**64 - 1)])
        self.assertEqual(result["tuple"], ((1, True), None))
        self.assertTrue(math.isnan(result["nan"]))
        self.assertAlmostEqual(result["f32"], 0.1)
        many, nothing = result["many"]
        self.assertEqual((many.l, many.n, many.o, nothing, result["plain"]), ("ö", b"\1\2\3", None, [None], 3))

    def test_for_each_gathers(self) -> None:
        with self.assertRaises(RunError) as caught:
            each.flow().run()
        self.assertEqual([failure.task for failure in caught.exception.failures], ["fail-2"])

        @workflow
        def counted(needle: str):
            found = for_each(File("pages"), lambda page: lines.count(page, needle))
            return found, text.sum(found)

        self.assertEqual(counted("txt").run().result, ([1, 2], 3))

    def test_a_picture_shows_itself(self) -> None:
        @workflow
        def portrait(photo):
            return image.grayscale(photo)

        run = portrait(File("cat.png")).run()
        self.assertTrue(run.result.startswith(b"\x89PNG"))
        for shown in [run._repr_mimebundle_(), run.result._repr_mimebundle_()]:
            self.assertTrue(shown["image/png"].startswith("iVBORw0KGgo"))

        @workflow
        def found(pages):
            return lines.filter(pages, "again")

        link = found(File("pages/2.txt")).run().result
        self.assertIsInstance(link, Link)
        self.assertEqual((link.read(), link.text()), (b"2.txt again\n", "2.txt again\n"))
        self.assertEqual(link._repr_mimebundle_(), {"text/plain": repr(link)})
        link.save("again.txt")
        self.assertEqual(pathlib.Path("again.txt").read_text(), "2.txt again\n")
        # A link goes on to the next workflow.
        self.assertEqual(found(link).run().result, link)

    def test_failures_name_task_and_kind(self) -> None:
        @workflow
        def fails():
            bad = zoo.fail("no such thing").options(label="bad")
            return zoo.echo_u32(bad)

        with self.assertRaises(RunError) as caught:
            fails().run()
        error = caught.exception
        self.assertEqual((error.task, error.kind, error.value), ("bad", "guest", "no such thing"))
        self.assertRegex(str(error), r"^run.py:\d+: task `bad` failed \(guest\): .*no such thing")
        self.assertEqual(error.run.receipts["bad"].how, "failed")

        @workflow
        def caught_():
            return mender.explain(mender.fail("so").error), mender.fail("x").options(catch={"ok": 5})

        told, five = caught_().run().result
        self.assertEqual(five, 5)
        self.assertIn("so", told)

    def test_results_have_a_bound(self) -> None:
        @workflow
        def many():
            return [zoo.echo_u32(number) for number in range(1001)]

        words = "1,001 results are asked for, and a run gives 1,000 at the most"
        self.assertEqual(raised(HomestarError, many().run), words)

    def test_secrets_stay(self) -> None:
        @workflow
        def secret():
            return zoo.echo_string("hush").options(secret=True)

        self.assertIsInstance(secret().run().result, Secret)

    def test_others_go_on_meanwhile(self) -> None:
        async def both():
            return await asyncio.gather(sums.flow().run_async(), values.flow().run_async())

        first, second = asyncio.run(both())
        self.assertEqual((first.result, second.result.name), (8, "Ada"))

        async def stopped():
            started = asyncio.Event()
            loop = asyncio.get_running_loop()
            told = lambda event: loop.call_soon_threadsafe(started.set)
            task = asyncio.ensure_future(sums.flow().run_async(on_event=told))
            await started.wait()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(stopped())

    def test_a_component_without_a_module(self) -> None:
        own = component("add.wasm")

        @workflow
        def three():
            return own.add(1, 2)

        self.assertEqual(three().run().result, 3)
        with self.assertRaisesRegex(HomestarError, "can't read nowhere.wasm"):
            component("nowhere.wasm")

    def test_a_file_for_others(self) -> None:
        sums.flow().save("saved.json")
        self.assertEqual(pathlib.Path("saved.json").read_text(), sums.flow().json())


if __name__ == "__main__":
    unittest.main()
