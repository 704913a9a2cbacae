import type { ComponentChildren } from 'preact';
import type { Context } from '../context.ts';
import { Icon, type IconName } from './icon.tsx';

/** A section whose heading has an icon. */
export function Section(props: {
  readonly picture: IconName;
  readonly title: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section aria-label={props.title}>
      <h3>
        <Icon name={props.picture} />
        {props.title}
      </h3>
      {props.children}
    </section>
  );
}

/** A list row with text at the start and one control at the end. */
export function Row(props: {
  readonly title: ComponentChildren;
  readonly hint?: ComponentChildren;
  readonly before?: ComponentChildren;
  readonly children?: ComponentChildren;
}) {
  return (
    <li class="set">
      {props.before}
      <div>
        <b>{props.title}</b>
        {props.hint !== undefined && <small>{props.hint}</small>}
      </div>
      {props.children}
    </li>
  );
}

export function Switch(props: {
  readonly label: string;
  readonly on: boolean;
  /** The user cannot change it here. */
  readonly fixed?: boolean;
  turn(on: boolean): void;
}) {
  const { label, on, fixed = false, turn } = props;
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-label={label}
      aria-checked={on}
      aria-disabled={fixed || undefined}
      onClick={() => fixed || turn(!on)}
    />
  );
}

/** Options next to each other. One is chosen. */
export function Segments<T extends string>(props: {
  readonly label: string;
  readonly chosen: T;
  readonly options: readonly (readonly [T, string])[];
  choose(value: T): void;
}) {
  const { label, chosen, options, choose } = props;
  return (
    <fieldset class="seg" aria-label={label}>
      {options.map(([value, words]) => (
        <button type="button" key={value} aria-pressed={chosen === value} onClick={() => choose(value)}>
          {words}
        </button>
      ))}
    </fieldset>
  );
}

/**
 * A select with a few options.
 *
 * @param props.id - of the select, if it has a visible label, otherwise `label` names it
 */
export function Choice<T extends string>(props: {
  readonly id?: string;
  readonly label?: string;
  readonly chosen: T;
  readonly options: readonly (readonly [T, string])[];
  readonly disabled?: boolean;
  choose(value: T): void;
}) {
  const { id, label, chosen, options, disabled, choose } = props;
  return (
    <span class="select">
      <select
        class="input"
        id={id}
        aria-label={label}
        disabled={disabled}
        value={chosen}
        onChange={({ currentTarget }) => choose(currentTarget.value as T)}
      >
        {options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      <Icon name="fold" />
    </span>
  );
}

/**
 * Saves a change that is already shown. If that fails, reverts the change and offers a retry.
 *
 * @param show - shows the new value if `wanted`, otherwise the previous one
 */
export function save(context: Context, show: (wanted: boolean) => void, run: () => Promise<unknown>): void {
  const { strings, toast, changed } = context;
  show(true);
  changed();
  run().catch(() => {
    show(false);
    toast(strings.text('prefs.failed'), 'bad', {
      label: 'common.again',
      run: () => save(context, show, run),
    });
  });
}
