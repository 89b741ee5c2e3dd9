// The server's answers, with the types of its own description.
import type { components } from "./api";

type Schemas = components["schemas"];
export type Hit = Schemas["Hit"];
export type Term = Schemas["Term"];
export type Explanation = Schemas["Explanation"];
export type Contrast = Schemas["Contrast"];
export type TextEvidence = Schemas["TextEvidence"];
export type Why = Schemas["Why"];
export type FeatureCard = Schemas["FeatureCard"];
export type FeaturePage = Schemas["FeaturePage"];
export type Health = Schemas["Health"];
export type SearchAnswer = Schemas["SearchAnswer"];
export type Found = Schemas["FindAnswer"];
export type SteeredRanking = Schemas["SteeredRanking"];
export type Suggestion = Schemas["Suggestion"];
export type Profile = Schemas["Profile"];
export type Report = Schemas["CorpusReport"];

async function answer<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error ?? `the server answered ${response.status}`);
}

async function fetched(path: string, options?: RequestInit): Promise<Response> {
  try {
    return await fetch(new URL(`v1/${path}`, document.baseURI), options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is it still running?");
  }
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { "content-type": "application/json" };
  return answer<T>(await fetched(path, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

export async function get<T>(path: string, query: Record<string, string | number | undefined> = {}, signal?: AbortSignal): Promise<T> {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]));
  return answer<T>(await fetched(`${path}?${search}`, { signal }));
}

export async function page(body: unknown): Promise<string> {
  const headers = { "content-type": "application/json" };
  const response = await fetched("report.html", { method: "POST", headers, body: JSON.stringify(body) });
  return response.ok ? response.text() : answer<string>(response);
}

// A request made by an effect. The return value cancels it, because a later answer would belong to an earlier question.
export function follow<T>(request: (signal: AbortSignal) => Promise<T>, take: (answer: T) => void, fail: (message: string) => void): () => void {
  const controller = new AbortController();
  request(controller.signal)
    .then((answer) => controller.signal.aborted || take(answer))
    .catch((error) => controller.signal.aborted || fail(error.message));
  return () => controller.abort();
}

export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
