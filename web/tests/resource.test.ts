import { flushSync } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Unanswered } from "../src/lib/client";
import { Resource } from "../src/lib/resource.svelte";
import { Questions } from "./questions.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function made(): { asked: Questions; resource: Resource<string>; end: () => void } {
  const asked = new Questions();
  let resource!: Resource<string>;
  const end = Questions.root(() => (resource = new Resource(() => asked.question())));
  flushSync();
  return { asked, resource, end };
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
  flushSync();
}

test("a late answer to an earlier question never wins", async () => {
  const { asked, resource, end } = made();
  await settled();
  asked.key = "b";
  flushSync();
  await settled();
  asked.answer("b", "B");
  asked.answer("a", "A");
  await settled();
  expect(resource.value).toBe("B");
  expect(asked.aborted).toEqual(["a"]);
  end();
});

test("another key drops the answer at once; the same key keeps it until the next, also after an error", async () => {
  const { asked, resource, end } = made();
  await settled();
  asked.answer("a", "A");
  await settled();
  asked.times += 1;
  flushSync();
  await settled();
  expect([resource.value, resource.busy]).toEqual(["A", true]);
  asked.fail("a", new Error("no"));
  await settled();
  expect([resource.value, resource.problem, resource.busy]).toEqual(["A", "no", false]);
  asked.key = "b";
  flushSync();
  expect(resource.value).toBeNull();
  end();
});

test("it can be asked again, and asks by itself where nobody answered", async () => {
  const { asked, resource, end } = made();
  await settled();
  asked.fail("a", new Unanswered("down"));
  await settled();
  expect(resource.problem).toBe("down");
  await vi.advanceTimersByTimeAsync(4000);
  flushSync();
  await settled();
  asked.answer("a", "up");
  await settled();
  expect([resource.value, resource.problem]).toEqual(["up", ""]);
  resource.retry();
  flushSync();
  await settled();
  expect(asked.count).toBe(3);
  end();
});

test("no question: no answer and no error", async () => {
  const { asked, resource, end } = made();
  await settled();
  asked.fail("a", new Error("no"));
  await settled();
  asked.key = "";
  flushSync();
  expect([resource.value, resource.problem, resource.busy]).toEqual([null, "", false]);
  end();
});
