import { afterEach, expect, test } from 'vitest';
import { addressHint, missingCookie } from '../src/logins/claim.ts';
import { useNames } from '../src/names.ts';

afterEach(() => useNames());

test('names an option in messages as the caller calls it', () => {
  useNames({
    option: (name) => `MY_${name.toUpperCase()}`,
    trustedProxies: 'MY_PROXIES',
  });
  expect(missingCookie('sid', 'none').hint).toContain('MY_COOKIENAME sets another name');
  expect(addressHint()).toContain('see MY_PROXIES; MY_SITECHECKS=off');
});

test('uses the package’s own option names in messages by default', () => {
  expect(missingCookie('sid', 'none').hint).toContain('cookieName sets another name');
  expect(addressHint()).toContain('see the trusted proxies of this server; siteChecks=off');
});

test('uses the package’s names for those that the caller leaves out', () => {
  useNames({ option: () => undefined as never, trustedProxies: undefined as never });
  expect(missingCookie('sid', 'none').hint).toContain('cookieName sets another name');
  useNames({ option: undefined as never });
  expect(addressHint()).toContain('see the trusted proxies of this server; siteChecks=off');
});
