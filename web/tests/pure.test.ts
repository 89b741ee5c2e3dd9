import { describe, expect, test } from "vitest";
import { bump, inWords } from "../src/lib/bump";
import { assign, largest } from "../src/lib/colours.svelte";
import { ofTwo, rowsOf } from "../src/lib/pairs";
import { explainedFraction, extent, levelOf, placed, runs, waterfall, weakTerms } from "../src/lib/show";
import { parse, search } from "../src/lib/state.svelte";
import { csv, qrels } from "../src/lib/table";
import { explanation, move, term } from "./data";

const LEVELS = [{ least: 0.75, word: "well", advice: "" }, { least: 0.5, word: "partly", advice: "" }, { least: 0, word: "do not", advice: "" }];

describe("the address", () => {
  test.each([
    "",
    "?view=features&index=docs&feature=4&from=60",
    "?q=a+b&by=bm25&k=30&open=%22%3E",
    "?q=x&push=down%3Aa%2Fb&steer=1%3A0%2C7%3A2.5&good=a%2Cb&good=c&bad=d",
    "?view=pair&q=x&text=one%0Atwo&steer=3%3A2&kind=scale",
  ])("%s is read and written without a change", (address) => {
    expect(search(parse(address))).toBe(address);
  });

  test("what cannot be is left out", () => {
    const state = parse("?view=nonsense&steer=1:x,-1:3,99999999999:1,2:101,3:1e1,4&feature=x&from=-3&k=0&push=a&kind=b");
    expect(state.factors).toEqual({ 3: 10 });
    expect([state.view, state.feature, state.from, state.k, state.push, state.kind]).toEqual(["search", -1, 0, 1, "", "project"]);
  });

  test("a factor of 1 and a text that is too long are not in it", () => {
    expect(search({ ...parse(""), factors: { 5: 1 }, text: "x".repeat(3000) })).toBe("");
  });
});

describe("the waterfall", () => {
  test("ends at the score and reaches below zero", () => {
    const { steps, low, high } = waterfall([0.1, -0.3, 0.5]);
    expect(steps.at(-1)?.to).toBeCloseTo(0.3);
    expect([low, high]).toEqual([expect.closeTo(-0.2), expect.closeTo(0.3)]);
    expect(placed({ from: 0.1, to: -0.2 }, low, high)).toEqual({ left: expect.closeTo(0), width: expect.closeTo(60) });
    expect(placed({ from: 0, to: 0 }, low, high).left).toBeCloseTo(40);
  });

  test("of nothing has no width", () => {
    expect(waterfall([])).toEqual({ steps: [], low: 0, high: 0 });
    expect(placed({ from: 0, to: 0 }, 0, 0)).toEqual({ left: 0, width: 0 });
  });

  test("a strip reaches as far as the longest to either side", () => {
    const some = [explanation([term(1, 0.5), term(2, -0.1)]), explanation([term(1, 0.2)], { remainder: -0.3 })];
    expect(extent(some)).toEqual({ minus: expect.closeTo(0.3), plus: expect.closeTo(0.5) });
    expect(extent([])).toEqual({ minus: 0, plus: 0 });
  });
});

describe("the verdict on a hit", () => {
  test.each([
    [0.1, "well"], // 0.4 of 0.5
    [-0.05, "well"], // the parts exceed the score
    [0.3, "partly"],
    [0.9, "do not"],
    [-0.25, "do not"],
  ])("with a remainder of %f: %s", (remainder, word) => {
    expect(levelOf(explanation([term(1, 0.4)], { bias: 0.1, remainder }), LEVELS)?.level.word).toBe(word);
  });

  test("there is none where the score is the bias", () => {
    expect(explainedFraction(explanation([term(1, 0.01)], { bias: 0.5 }))).toBeNull();
  });
});

describe("before and after", () => {
  const ranking = {
    query: "q",
    steered: [],
    hits: [move("b", 2, 1), move("new", 14, 2)],
    hits_lost: [move("a", 1, 23)],
  };

  test("every document has a place on both sides", () => {
    const drawn = bump(ranking, 2);
    expect(drawn.before.map((one) => one.move.doc_id)).toEqual(["a", "b", "new"]);
    expect(drawn.after.map((one) => one.move.doc_id)).toEqual(["b", "new", "a"]);
    expect(drawn.lines.map((one) => [one.from, one.to])).toEqual([[0, 2], [1, 0], [2, 1]]);
  });

  test("those that fell out are named", () => {
    expect(inWords(ranking)).toBe("2 of 2 hits moved; title of a fell to rank 23.");
    expect(inWords({ ...ranking, hits: [move("b", 1, 1)], hits_lost: [] })).toBe("Steering moves none of the hits.");
  });
});

describe("two explanations", () => {
  test("differ by the sum of their rows", () => {
    const one = explanation([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((id) => term(id, id / 10)), { remainder: -0.2 });
    const two = explanation([term(10, 0.3), term(77, 0.4)], { remainder: 0.1 });
    const compared = ofTwo(one, two);
    const rows = rowsOf(compared, "remainder");
    expect(rows.reduce((sum, row) => sum + row.first - row.second, 0)).toBeCloseTo(one.score - two.score);
    expect(rows.at(-2)?.name).toBe("3 more features");
    expect(rows.find((row) => row.id === 77)).toMatchObject({ first: 0, second: 0.4 });
  });
});

describe("colours", () => {
  test("the eight largest have one each and keep it", () => {
    const some = [explanation([...Array(12).keys()].map((id) => term(id, (id + 1) / 100)), { weak_features: [11] })];
    expect(largest(some)).toEqual([10, 9, 8, 7, 6, 5, 4, 3]);
    const slots = assign({}, largest(some));
    expect(new Set(Object.values(slots)).size).toBe(8);
    const later = assign(slots, [3, 99]);
    expect(later[3]).toBe(slots[3]);
    expect(later[99]).not.toBe(slots[3]);
  });
});

describe("tables", () => {
  test("cells are quoted, and formulas defused", () => {
    expect(csv([{ a: 'x,"y"', b: -1.5 }, { a: "=1+1", c: null }])).toBe("a,b,c\r\n\"x,\"\"y\"\"\",-1.5,\r\n'=1+1,,\r\n");
  });

  test("judgments are lines of qrels; ids with spaces do not fit", () => {
    expect(qrels("1", ["a", "b c"], ["d"])).toBe("1 0 a 1\n1 0 d 0\n");
  });
});

describe("texts", () => {
  test("spans count characters, also outside the first plane", () => {
    const found = { tokens: [{ start: 2, end: 4, share: 1 }], sentences: [] } as never;
    expect(runs("🎉 ab cd", found, 5).map((run) => [run.text, run.weight, run.read])).toEqual([["🎉 ", 0, true], ["ab", 1, true], [" ", 0, true], ["cd", 0, false]]);
  });

  test("weak features are one line", () => {
    const one = explanation([term(1, 0.5), term(2, 0.01)], { weak_features: [2], other_terms: { count: 3, share: 0.02, label: "" } });
    expect(weakTerms(one)).toEqual({ count: 4, share: expect.closeTo(0.03), label: "weak features (4)" });
  });
});
