import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// Addresses are relative, so that the page works below any path. File names hold a hash of what is in them: a browser
// keeps them for good, and a rebuild gives the same names and bytes.
export default defineConfig({
  base: "./",
  plugins: [svelte()],
  build: {
    outDir: process.env.PAGE_OUT ?? "../src/xetrieval/serve/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom" },
  server: { proxy: { "/v1": "http://127.0.0.1:8321" } },
});
