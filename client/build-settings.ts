import type { UserConfig } from 'vite';

/** All builds of the client that make pages have the same. */
export const shared = {
  base: './',
  // Every element is made by a call: those of the classic way are shorter than those of the automatic one.
  oxc: {
    jsx: { runtime: 'classic', pragma: 'h', pragmaFrag: 'Fragment' },
    jsxInject: "import { Fragment, h } from 'preact'",
  },
  build: {
    target: ['chrome123', 'firefox128', 'safari18'],
    modulePreload: false,
    // The policy of the chat's own pages allows no data: addresses.
    assetsInlineLimit: 0,
  },
} satisfies UserConfig;
