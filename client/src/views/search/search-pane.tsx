import type { MessagePlace } from '../../chat/notifications.ts';
import type { Context } from '../context.ts';
import type { Speaker } from '../speaker.tsx';
import { type Hits, SearchPanel } from './search.tsx';
import { Walk } from './walk.tsx';

/** Opens and closes the search. The focus returns to the element that opened it. */
export class SearchPane {
  /** Whether to search the open room or all rooms; undefined while the search is closed. */
  where: 'here' | 'everywhere' | undefined;
  readonly #context: Context;
  readonly #jump: (to: MessagePlace) => void;
  readonly #speaker: Speaker;
  #panel: SearchPanel | undefined;
  #opener: Element | null = null;
  /** The hits, and the index of the one that is shown in its room. */
  #walk: { readonly hits: Hits; readonly at: number } | undefined;

  constructor(context: Context, jump: (to: MessagePlace) => void, speaker: Speaker) {
    this.#context = context;
    this.#jump = jump;
    this.#speaker = speaker;
  }

  open(where: 'here' | 'everywhere', opener: Element | null): void {
    const open = this.where !== undefined;
    if (!open) this.#opener = opener;
    this.where = where;
    this.#context.draw();
    if (open) this.#panel?.focus();
  }

  /** Closes the search without a redraw. */
  clear(): void {
    this.where = undefined;
  }

  readonly close = () => {
    this.clear();
    this.#context.draw(this.#opener);
    this.#opener = null;
  };

  /** @param roomInSight - whether the room that "this room" refers to is visible */
  draw(roomInSight: boolean, inert: boolean) {
    if (this.where === undefined) return undefined;
    return (
      <SearchPanel
        context={this.#context}
        everywhere={this.where === 'everywhere' || this.#context.chat.current === undefined}
        roomInSight={roomInSight}
        inert={inert}
        shown={this.#shown}
        setEverywhere={(everywhere) => this.open(everywhere ? 'everywhere' : 'here', null)}
        choose={this.#go}
        say={(text) => this.#speaker.say(text)}
        close={this.close}
      />
    );
  }

  /** The bar above the timeline, which leads from the chosen hit to the next. */
  bar() {
    if (this.#walk === undefined) return undefined;
    const { hits, at } = this.#walk;
    return (
      <Walk context={this.#context} hits={hits} at={at} go={(to) => this.#go(hits, to)} end={this.#end} />
    );
  }

  /** Removes the bar. */
  forget(): void {
    this.#walk = undefined;
  }

  readonly #end = () => {
    this.forget();
    this.#context.draw();
  };

  readonly #go = (hits: Hits, at: number) => {
    const message = hits.messages[at];
    if (message === undefined) return;
    this.#walk = { hits, at };
    this.#jump(message);
  };

  readonly #shown = (panel: SearchPanel | undefined) => {
    this.#panel = panel;
  };
}
