import type { Question } from "../src/lib/resource.svelte";

type Waiting = { resolve: (answer: string) => void; reject: (error: Error) => void };

// Questions whose answers a test gives when it wants to.
export class Questions {
  static root = (run: () => void): (() => void) => $effect.root(run);
  key = $state("a");
  times = $state(0);
  count = 0;
  aborted: string[] = [];
  #waiting = new Map<string, Waiting>();

  question(): Question<string> | null {
    void this.times;
    const key = this.key;
    if (!key) return null;
    const ask = (signal: AbortSignal) => {
      this.count += 1;
      signal.addEventListener("abort", () => this.aborted.push(key));
      return new Promise<string>((resolve, reject) => this.#waiting.set(key, { resolve, reject }));
    };
    return { key, ask };
  }

  answer(key: string, answer: string): void {
    this.#waiting.get(key)?.resolve(answer);
  }

  fail(key: string, error: Error): void {
    this.#waiting.get(key)?.reject(error);
  }
}
