import { scaleOf } from '../box.ts';
import type { Message } from './message.tsx';
import { isStored, type Messages } from './touch-and-keys.ts';

/** A swipe starts after this distance. It must be at least twice as wide as high, because no finger moves straight. */
const BEGIN_PX = 12;
/** Lifting the finger after this distance replies. The message moves no further than `MOST_PX`. */
const ENOUGH_PX = 56;
const MOST_PX = 72;

/** These elements react to a moving finger themselves. */
const OWN = 'pre, input, audio, video, .tools';

/**
 * Replies to a message that a finger swipes towards the start of the line. Scrolling stays with the browser, which
 * cancels the swipe. Ends with the signal.
 */
export function swipeToReply(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  let drawn: { message: Message; element: HTMLElement; mark?: Element | undefined } | undefined;
  let from = { id: 0, x: 0, y: 0, scale: 1 };
  /** Distance towards the start of the line. */
  let way = 0;
  const end = () => {
    if (drawn?.mark !== undefined) drawn.element.dataset.swipe = 'over';
    drawn?.element.style.removeProperty('--swipe');
    drawn?.mark?.remove();
    drawn = undefined;
    way = 0;
  };
  const down = ({ target, pointerType, pointerId, isPrimary, clientX, clientY }: PointerEvent) => {
    end();
    if (pointerType !== 'touch' || !isPrimary || !(target instanceof Element)) return;
    const message = find(target);
    const element = message?.element;
    if (element == null || message === undefined || target.closest(OWN) !== null) return;
    const { entry, context } = message.props;
    if (!isStored(entry) || context.chat.rooms.get(entry.message?.room ?? '')?.preview) return;
    from = { id: pointerId, x: clientX, y: clientY, scale: scaleOf(element) };
    drawn = { message, element };
    // Its icon is shown.
    message.use();
  };
  const moved = ({ pointerId, clientX, clientY }: PointerEvent) => {
    if (drawn === undefined || pointerId !== from.id) return;
    const { element } = drawn;
    const rtl = element.matches(':dir(rtl)');
    way = ((from.x - clientX) / from.scale) * (rtl ? -1 : 1);
    const height = Math.abs(clientY - from.y) / from.scale;
    if (drawn.mark === undefined) {
      if (height > BEGIN_PX || way < -BEGIN_PX) return end();
      if (way < BEGIN_PX || way < 2 * height) return;
      // The icon of the reply button.
      const picture = element.querySelector('.tools button:nth-of-type(2) svg')?.cloneNode(true);
      if (!(picture instanceof Element)) return end();
      picture.classList.add('swiped');
      element.append(picture);
      drawn.mark = picture;
      element.dataset.swipe = '';
    }
    drawn.mark.classList.toggle('enough', way >= ENOUGH_PX);
    const shift = Math.min(Math.max(way, 0), MOST_PX);
    element.style.setProperty('--swipe', `${rtl ? shift : -shift}px`);
  };
  const up = () => {
    const { message, mark } = drawn ?? {};
    const replies = mark !== undefined && way >= ENOUGH_PX;
    end();
    if (replies) message?.props.actions.reply(message.props.entry);
  };
  const pointer = (does: (event: PointerEvent) => void) => (event: Event) =>
    event instanceof PointerEvent && does(event);
  root.addEventListener('pointerdown', pointer(down), { signal });
  root.addEventListener('pointermove', pointer(moved), { signal });
  root.addEventListener('pointerup', up, { signal });
  root.addEventListener('pointercancel', end, { signal });
}
