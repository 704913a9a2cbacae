import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';

const script = readFileSync(new URL('../../wordpress/public/embed.js', import.meta.url), 'utf8');

interface Visit {
  /** The ID in the cookie of a logged-in user. */
  user?: string;
  guests?: boolean;
  /** What WordPress answers about the user's role. Without it the page need not ask. */
  sees?: boolean;
  /** The ID of a user who does not see the box. */
  notTo?: string;
}

/** Returns what a box of the page shows, and how often the page asked WordPress. */
async function visit({ user, guests = false, sees, notTo }: Visit) {
  const removeAttribute = vi.fn();
  const content = (text: string) => ({ text, querySelectorAll: () => [{ removeAttribute }] });
  const shown = Promise.withResolvers<{ text?: string } | string>();
  const box = {
    dataset: notTo === undefined ? {} : { notTo },
    querySelectorAll: () => [{ content: content('chat') }, { content: content('log in') }],
    replaceChildren: (child: { text?: string } | string) => shown.resolve(child),
  };
  const ask = sees === undefined ? '' : '/sees';
  const settings = { server: '/chat/', cookie: 'chat_user', ask, guests };
  const document = {
    cookie: user === undefined ? 'a=b' : `a=b; chat_user=${user}`,
    querySelector: (selector: string) =>
      selector.includes('settings') ? { textContent: JSON.stringify(settings) } : {},
    querySelectorAll: () => [box, { ...box, replaceChildren() {} }],
  };
  const fetched = vi.fn(async () => Response.json({ sees }));
  new Function('document', 'fetch', 'CSS', script)(document, fetched, { escape: String });
  const child = await shown.promise;
  return {
    shows: typeof child === 'string' ? child : child.text,
    asked: fetched.mock.calls.length,
    asVisitor: removeAttribute.mock.calls.length > 0,
  };
}

test.each<[string, Visit, string, number]>([
  ['a user', { user: '7' }, 'chat', 0],
  ['a user with a role', { user: '7', sees: true }, 'chat', 1],
  ['a user without a role', { user: '7', sees: false }, '', 1],
  ['a user in the box of another user', { user: '7', notTo: '8' }, 'chat', 0],
  ['a user in the own box', { user: '7', notTo: '7' }, '', 0],
  ['a visitor', {}, 'log in', 0],
  ['a guest', { guests: true }, 'chat', 0],
  ['a guest in the box of a user', { guests: true, notTo: '8' }, 'log in', 0],
])('shows %s the right part of the box', async (_, who, shows, asked) => {
  expect(await visit(who)).toEqual({ shows, asked, asVisitor: shows === 'chat' && who.user === undefined });
});
