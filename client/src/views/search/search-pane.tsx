import type { MessagePlace } from '../../chat/notifications.ts';
import type { Context } from '../context.ts';
import type { Speaker } from '../speaker.tsx';
import { SearchPanel } from './search.tsx';

/** Opens and closes the search. The focus returns to the element that opened it. */
export class SearchPane {
  /** Whether to search the open room or all rooms; undefined while the search is closed. */
  where: 'here' | 'everywhere' | undefined;
  readonly #context: Context;
  readonly #jump: (to: MessagePlace) => void;
  readonly #speaker: Speaker;
  #panel: SearchPanel | undefined;
  #opener: Element | null = null;

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
        jump={this.#jump}
        say={(text) => this.#speaker.say(text)}
        close={this.close}
      />
    );
  }

  readonly #shown = (panel: SearchPanel | undefined) => {
    this.#panel = panel;
  };
}
