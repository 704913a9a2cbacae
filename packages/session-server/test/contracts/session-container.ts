import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Container, Saved } from '../../src/containers/container.ts';

/** A container under test. */
export interface ContainerUnderTest {
  container: Container;
  /** Opens it again with its stored sessions. */
  again(): Promise<Container>;
  clean(): Promise<void>;
}

const session = (text: string, more: Partial<Saved> = {}): Saved => ({
  data: Buffer.from(text, 'latin1'),
  revision: 1,
  lifetimeSeconds: 100,
  expiresAt: Date.now() + 100_000,
  ...more,
});

/** The same tests for every container. */
export function sessionContainerContract(
  name: string,
  make: () => Promise<ContainerUnderTest>,
  keeps: 'outlives the process' | 'ends with the process',
): void {
  describe(`the container ${name}`, () => {
    let under: ContainerUnderTest;
    let container: Container;
    beforeEach(async () => {
      under = await make();
      container = under.container;
    });
    afterEach(async () => {
      await container.close();
      await under.clean();
    });
    const over = async (now: number) => (await Array.fromAsync(container.expire(now))).sort();

    test('returns only the latest committed bytes', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
      const first = session('', {
        data: bytes,
        revision: 2 ** 52,
        lifetimeSeconds: 0,
        expiresAt: Number.POSITIVE_INFINITY,
      });
      expect(await container.open('a')).toBeNull();
      await container.commit('a', first);
      expect(await container.open('a')).toEqual(first);
      const second = session('a:0:{}', { revision: 7 });
      await container.commit('a', second);
      const found = await container.open('a');
      expect(found).toMatchObject({ data: second.data, revision: 7, lifetimeSeconds: 100 });
      // Files have a lower precision.
      expect(Math.abs((found?.expiresAt ?? 0) - second.expiresAt)).toBeLessThan(2);
      expect(container.count).toBe(1);
    });

    test('keeps sessions apart whose IDs look alike', async () => {
      const ids = ['a', 'A', 'a-', '-a', 'a,b', '_', 'a'.repeat(128), '0', '00', 'con', 'a-txt'];
      for (const id of ids) await container.commit(id, session(`of ${id}`));
      for (const id of ids) expect((await container.open(id))?.data.toString()).toBe(`of ${id}`);
      expect(container.count).toBe(ids.length);
      expect(await container.destroy('A')).toBe(true);
      expect(await container.open('A')).toBeNull();
      expect(await container.open('a')).not.toBeNull();
    });

    test('holds a large session and an empty one', async () => {
      await container.commit('large', session('x'.repeat(3_000_000)));
      await container.commit('empty', session(''));
      expect((await container.open('large'))?.data).toHaveLength(3_000_000);
      expect((await container.open('empty'))?.data).toHaveLength(0);
    });

    test('destroys a session, and returns whether it existed', async () => {
      expect(await container.destroy('a')).toBe(false);
      await container.commit('a', session('x'));
      expect(await container.destroy('a')).toBe(true);
      expect(await container.destroy('a')).toBe(false);
      expect(await container.open('a')).toBeNull();
      expect(container.count).toBe(0);
    });

    test('sets the end of a session with a touch, which does not create a session', async () => {
      await container.commit('a', session('x', { revision: 5 }));
      const end = Date.now() + 5000;
      await container.touch('a', 5, end);
      await container.touch('b', 5, end);
      const found = await container.open('a');
      expect(found).toMatchObject({ revision: 5, lifetimeSeconds: 100 });
      expect(found?.data.toString()).toBe('x');
      expect(Math.abs((found?.expiresAt ?? 0) - end)).toBeLessThan(2);
      expect(await container.open('b')).toBeNull();
    });

    test('ignores a touch of an earlier revision', async () => {
      const end = Date.now() + 100_000;
      await container.commit('a', session('x', { revision: 1 }));
      await container.commit('a', session('x', { revision: 2, expiresAt: end }));
      await container.touch('a', 1, end - 50_000);
      expect(Math.abs(((await container.open('a'))?.expiresAt ?? 0) - end)).toBeLessThan(2);
      // Also if it comes in the middle of the commit.
      for (let revision = 3; revision < 20; revision++) {
        let done = false;
        const touches = Array.from({ length: 4 }, async () => {
          while (!done) await container.touch('a', revision - 1, end - 50_000);
        });
        await container.commit('a', session('x', { revision, expiresAt: end + revision }));
        done = true;
        await Promise.all(touches);
        const found = await container.open('a');
        expect(found?.revision).toBe(revision);
        expect(Math.abs((found?.expiresAt ?? 0) - end - revision)).toBeLessThan(2);
      }
    });

    test('lists expired sessions, and nothing else', async () => {
      // More than one query of `sqlite:` returns.
      const expired = 450;
      const now = Date.now();
      const old = Array.from({ length: expired }, (_, n) =>
        container.commit(`old${n}`, session('x', { expiresAt: now - 1000 - (n % 3) })),
      );
      await Promise.all(old);
      await container.commit('young', session('x', { expiresAt: now + 60_000 }));
      await container.commit(
        'forever',
        session('x', { lifetimeSeconds: 0, expiresAt: Number.POSITIVE_INFINITY }),
      );
      const found = await over(now);
      expect(found).toHaveLength(expired);
      expect(found.every((id) => id.startsWith('old'))).toBe(true);
      // Also while they are being destroyed.
      for await (const id of container.expire(now)) await container.destroy(id);
      expect(await over(now)).toEqual([]);
      expect(container.count).toBe(2);
      await container.touch('young', 1, now - 5);
      expect(await over(now)).toEqual(['young']);
    });

    test('handles many sessions at once independently', async () => {
      const ids = Array.from({ length: 50 }, (_, n) => `id${n}`);
      for (let round = 0; round < 2; round++) {
        await Promise.all(ids.map((id) => container.commit(id, session(`${id} ${round}`))));
        const found = await Promise.all(ids.map((id) => container.open(id)));
        expect(found.map((one) => one?.data.toString())).toEqual(ids.map((id) => `${id} ${round}`));
      }
      expect(container.count).toBe(50);
    });

    test(`has content that ${keeps}`, async () => {
      const kept = session('a:0:{}', { revision: 9 });
      await container.commit('kept', kept);
      await container.commit('gone', session('x'));
      await container.destroy('gone');
      await container.close();
      container = await under.again();
      expect(await container.open('gone')).toBeNull();
      const found = await container.open('kept');
      if (keeps === 'ends with the process') return expect(found).toBeNull();
      expect(found).toMatchObject({ data: kept.data, revision: 9, lifetimeSeconds: 100 });
      expect(container.count).toBe(1);
    });
  });
}
