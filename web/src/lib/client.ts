// The server's answers, with the types of its own description.
import type { components } from "./api";

type Schemas = components["schemas"];
export type About = Schemas["About"];
export type Contrast = Schemas["Contrast"];
export type Explanation = Schemas["Explanation"];
export type FeatureCard = Schemas["FeatureCard"];
export type FeaturePage = Schemas["FeaturePage"];
export type Found = Schemas["FindAnswer"];
export type Health = Schemas["Health"];
export type Hit = Schemas["Hit"];
export type Level = Schemas["Level"];
export type Move = Schemas["Move"];
export type Profile = Schemas["Profile"];
export type Proposal = Schemas["Proposal"];
export type Push = Schemas["Push"];
export type Report = Schemas["CorpusReport"];
export type SearchAnswer = Schemas["SearchAnswer"];
export type StoredDocument = Schemas["StoredDocument"];
export type SteeredFeature = Schemas["SteeredFeature"];
export type SteeredRanking = Schemas["SteeredRanking"];
export type Suggestion = Schemas["Suggestion"];
export type Term = Schemas["Term"];
export type TextEvidence = Schemas["TextEvidence"];
export type Why = Schemas["Why"];

// No answer at all: the server is down or unreachable, so the same request may succeed later.
export class Unanswered extends Error {}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error ?? `the server answered ${response.status}`);
}

async function request(path: string, options: RequestInit = {}): Promise<Response> {
  try {
    return await checked(await fetch(new URL(`v1/${path}`, document.baseURI), options));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Unanswered("the server does not answer; is it still running?");
  }
}

const HEADERS = { "content-type": "application/json" };

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return (await request(path, { method: "POST", headers: HEADERS, body: JSON.stringify(body), signal })).json();
}

export async function get<T>(path: string, query: Record<string, string | number | undefined> = {}, signal?: AbortSignal): Promise<T> {
  return (await request(addressOf(path, query), { signal })).json();
}

export async function remove<T>(path: string, query: Record<string, string | undefined>): Promise<T> {
  return (await request(addressOf(path, query), { method: "DELETE" })).json();
}

// One explanation as a page of its own.
export async function page(body: unknown): Promise<string> {
  return (await request("report.html", { method: "POST", headers: HEADERS, body: JSON.stringify(body) })).text();
}

function addressOf(path: string, query: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return `${path}?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}
