import { mkdirSync, writeFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { shareOfDifference } from './pixels.ts';

/** A visible part of an element: a control with its name, a line of text, a picture, or a painted box. */
interface Item {
  readonly key: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Exception {
  /** Matches the item's key, or `pixels`. */
  readonly what: RegExp;
  readonly why: string;
}

/**
 * The visible items of that part, with their positions. It runs in the page, so it may not use anything outside. An
 * item's key is its kind and content, so that the mock and the real element may have different markup.
 */
function itemsOf(root: Element): Item[] {
  const boxes =
    'avatar tile bubble badge quote tip chip toast banner btn input select field menu dialog day new bone spin seg opts hit foot problem clash state pane bar composer jump sheet panel ready code count kbd';
  const painted = new Set(boxes.split(' '));
  const controls =
    'button, a[href], input, textarea, select, [role^="menuitem"], [role="option"], [role="combobox"]';
  const found: Item[] = [];
  const origin = root.getBoundingClientRect();
  const tidy = (text: string) => text.replace(/[\u2060\s]+/gu, ' ').trim();
  const kinds: Record<string, string> = {
    A: 'link',
    BUTTON: 'button',
    TEXTAREA: 'textbox',
    SELECT: 'combobox',
  };
  const textOf = (element: Element): string =>
    [...element.childNodes]
      .map((node) => {
        if (node instanceof Text) return node.data;
        if (!(node instanceof Element) || node.getAttribute('aria-hidden') === 'true') return '';
        const inline = getComputedStyle(node).display.startsWith('inline');
        return inline ? textOf(node) : ` ${textOf(node)} `;
      })
      .join('');
  const seenText = (element: Element): string =>
    tidy(
      [...element.childNodes]
        .map((node) => {
          if (node instanceof Text) return node.data;
          if (!(node instanceof Element) || node.matches('.vh, .tools')) return '';
          return `${seenText(node)} `;
        })
        .join(''),
    );
  const add = (key: string, rect: DOMRect, clip: DOMRect) => {
    const left = Math.max(rect.left, clip.left);
    const top = Math.max(rect.top, clip.top);
    const seen = Math.min(rect.right, clip.right) - left > 1 && Math.min(rect.bottom, clip.bottom) - top > 1;
    const { width, height } = rect;
    if (seen) found.push({ key, x: rect.x - origin.x, y: rect.y - origin.y, width, height });
  };
  const walk = (element: Element, outer: DOMRect) => {
    if (element.matches('.vh, script, style, link, noscript')) return;
    // An element without a box, or an invisible one, may contain visible items.
    const boxless = getComputedStyle(element).display === 'contents';
    if (!boxless && !element.checkVisibility()) return;
    const visible = boxless || element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const style = getComputedStyle(element);
    const rect = element.getBoundingClientRect();
    let clip = outer;
    if (visible && element.matches(controls)) {
      const role =
        element.getAttribute('role') ??
        kinds[element.tagName] ??
        (element instanceof HTMLInputElement ? element.type : element.tagName);
      const label = element instanceof HTMLInputElement ? element.labels?.[0] : undefined;
      const name = element.getAttribute('aria-label') ?? textOf(label ?? element);
      add(`${role} “${tidy(name)}”`, rect, clip);
      if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)
        if (element.type !== 'radio') add(`value “${element.value}”`, rect, clip);
    }
    if (visible && element instanceof SVGElement) {
      const path = element.querySelector('path')?.getAttribute('d') ?? '';
      add(`picture ${path.slice(0, 24)}`, rect, clip);
      return;
    }
    for (const name of element.classList) {
      if (visible && painted.has(name)) {
        const large = ['pane', 'bar', 'composer', 'menu', 'dialog', 'opts', 'field', 'ready'].includes(name);
        add(`.${name}${large ? '' : ` “${seenText(element).replace(/ /gu, '').slice(0, 30)}”`}`, rect, clip);
      }
    }
    if (!['visible', ''].includes(style.overflowX)) {
      const left = Math.max(rect.left, clip.left);
      const top = Math.max(rect.top, clip.top);
      clip = new DOMRect(
        left,
        top,
        Math.max(0, Math.min(rect.right, clip.right) - left),
        Math.max(0, Math.min(rect.bottom, clip.bottom) - top),
      );
    }
    const tree: ParentNode & Node = element.shadowRoot ?? element;
    const children =
      element instanceof HTMLSlotElement ? element.assignedNodes({ flatten: true }) : tree.childNodes;
    for (const node of children) {
      if (node instanceof Element) walk(node, clip);
      else if (node instanceof Text && visible) {
        // By words, because the same line may consist of several nodes.
        for (const { 0: word, index } of node.data.matchAll(/[^\s\p{P}\u2060]+/gu)) {
          const range = document.createRange();
          range.setStart(node, index);
          range.setEnd(node, index + word.length);
          add(`word “${word}”`, range.getBoundingClientRect(), clip);
        }
      }
    }
  };
  walk(root, origin);
  return found;
}

/** Items of the mock that are missing in the real element, or elsewhere. Of several equal ones, the nearest counts. */
function differences(mock: readonly Item[], real: readonly Item[]): string[] {
  const left = new Set(real);
  const sizes = ['x', 'y', 'width', 'height'] as const;
  const distance = (one: Item, other: Item) =>
    sizes.reduce((sum, size) => sum + Math.abs(one[size] - other[size]), 0);
  return mock.flatMap((item) => {
    const alike = [...left].filter(({ key }) => key === item.key);
    const [other] = alike.sort((one, two) => distance(item, one) - distance(item, two));
    if (other === undefined) return [`missing: ${item.key}`];
    left.delete(other);
    const off = sizes.filter((size) => Math.abs(item[size] - other[size]) > 2);
    const places = off.map((size) => `${size} ${item[size].toFixed(1)} → ${other[size].toFixed(1)}`);
    return off.length === 0 ? [] : [`elsewhere: ${item.key}: ${places.join(', ')}`];
  });
}

/** The folder for the pairs of pictures; without it they are not saved. */
const pairs = process.env.MOCK_PAIRS;

/**
 * The differences between the mock and the real element: missing controls and texts, positions more than two pixels
 * off, and the number of pixels that look different.
 *
 * @param mock the mock's box, and the real one: both at the same position of their pages
 */
export async function compare(
  name: string,
  mock: Locator,
  real: Locator,
  exceptions: readonly Exception[] = [],
): Promise<string[]> {
  const [mockItems, realItems] = [await mock.evaluate(itemsOf), await real.evaluate(itemsOf)];
  await settle(mock, real);
  const [first, second] = [await picture(mock), await picture(real)];
  const share = await shareOfDifference(mock.page(), first, second);
  const all = differences(mockItems, realItems);
  if (share > 0.02) all.push(`pixels: ${(share * 100).toFixed(2)} %`);
  const left = all.filter((line) => !exceptions.some(({ what }) => what.test(line)));
  if (pairs !== undefined) {
    mkdirSync(pairs, { recursive: true });
    writeFileSync(`${pairs}/${name}-mock.png`, first);
    writeFileSync(`${pairs}/${name}-real.png`, second);
    const extra = differences(realItems, mockItems).filter((line) => line.startsWith('missing'));
    writeFileSync(
      `${pairs}/${name}.txt`,
      [`pixels ${(share * 100).toFixed(2)} %`, '', ...left, '', 'only here:', ...extra].join('\n'),
    );
  }
  return left.map((line) => `${name}: ${line}`);
}

/** Moves both to whole pixels: with an offset of less than a pixel, every letter would be painted differently. */
async function settle(mock: Locator, real: Locator): Promise<void> {
  const place = (part: Locator) =>
    part.evaluate((element) => element.getBoundingClientRect().toJSON() as DOMRect);
  const [from, to] = [await place(mock), await place(real)];
  const rest = (a: number, b: number) => {
    const apart = (b % 1) - (a % 1);
    return apart - Math.round(apart);
  };
  await mock.evaluate(
    (element: HTMLElement, [x, y]) => {
      const { position, insetInlineStart, insetBlockStart } = getComputedStyle(element);
      if (x === 0 && y === 0) return;
      if (position === 'absolute' || position === 'fixed') {
        element.style.marginBlockStart = `${y}px`;
        return;
      }
      element.style.position = position === 'static' ? 'relative' : position;
      element.style.left = `${(Number.parseFloat(insetInlineStart) || 0) + Number(x)}px`;
      element.style.top = `${(Number.parseFloat(insetBlockStart) || 0) + Number(y)}px`;
    },
    [rest(from.x, to.x), rest(from.y, to.y)],
  );
}

async function picture(part: Locator): Promise<Buffer> {
  const box = await part.boundingBox();
  if (box === null) throw new Error('nothing to take a picture of');
  const clip = {
    x: Math.round(box.x),
    y: Math.round(box.y),
    width: Math.round(box.width),
    height: Math.round(box.height),
  };
  return part.page().screenshot({ clip, animations: 'disabled' });
}

/** Replaces texts that differ from picture to picture, such as a countdown, by those of the real element. */
export async function retext(mock: Locator, texts: Readonly<Record<string, string>>): Promise<void> {
  await mock.evaluate((host, given) => {
    const change = (root: Node) => {
      for (const node of root.childNodes) {
        if (node instanceof Text)
          for (const [from, to] of Object.entries(given)) node.data = node.data.replace(from, to);
        else change(node instanceof Element ? (node.shadowRoot ?? node) : node);
      }
    };
    change(host.shadowRoot ?? host);
  }, texts);
}

/** A picture cannot be scrolled: it is shown as far from its end as the real timeline. */
export async function scrollAlike(mock: Locator, real: Locator): Promise<void> {
  const below = await real
    .locator('.timeline')
    .evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
  await mock.locator('.timeline').evaluate((log, distance) => {
    log.scrollTop = log.scrollHeight - log.clientHeight - distance;
  }, below);
}

/** Removes focus and caret, which the pictures do not have. */
export const still = (page: Page) =>
  page.evaluate(() => {
    for (const root of [document.activeElement?.shadowRoot, document]) {
      const focused = root?.activeElement;
      if (focused instanceof HTMLElement) focused.blur();
    }
  });
