import type { UserConfig } from 'vite';

/** The settings shared by the builds of the chat page and of the moderators' page. */
export const shared = {
  base: './',
  // The classic runtime generates shorter calls than the automatic one, and each element is a call.
  oxc: {
    jsx: { runtime: 'classic', pragma: 'h', pragmaFrag: 'Fragment' },
    jsxInject: "import { Fragment, h } from 'preact'",
  },
  build: {
    target: ['chrome123', 'firefox128', 'safari18'],
    modulePreload: false,
    // The Content Security Policy of the chat's own pages does not allow `data:` URLs.
    assetsInlineLimit: 0,
  },
} satisfies UserConfig;
