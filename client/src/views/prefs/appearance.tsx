import type { Context } from '../context.ts';
import { controlKey } from '../controls/modifier-keys.ts';
import { Choice, Row, Section, Switch } from '../controls/rows.tsx';

/** Factors of the page's text size. */
const ZOOMS = { small: 0.9, normal: 1, large: 1.15, huge: 1.35 };

/** The user's choices for this browser. */
export function Appearance({ context: { strings, look, touch } }: { readonly context: Context }) {
  const title = strings.text('prefs.look');
  const theme = strings.text('prefs.theme');
  const size = strings.text('prefs.size');
  const density = strings.text('prefs.density');
  const enter = strings.text('prefs.enter');
  return (
    <Section picture="look" title={title}>
      <ul class="sets box">
        <Row title={theme}>
          <Choice
            label={theme}
            chosen={look.theme ?? 'auto'}
            options={(['auto', 'light', 'dark'] as const).map((name) => [
              name,
              strings.text(`prefs.theme.${name}`),
            ])}
            choose={(name) => look.choose('theme', name)}
          />
        </Row>
        <Row title={size}>
          <Choice
            label={size}
            chosen={String(look.zoom)}
            options={(Object.keys(ZOOMS) as (keyof typeof ZOOMS)[]).map((name) => [
              String(ZOOMS[name]),
              strings.text(`prefs.size.${name}`),
            ])}
            choose={(zoom) => look.choose('zoom', Number(zoom))}
          />
        </Row>
        <Row title={density}>
          <Choice
            label={density}
            chosen={look.dense ? 'compact' : 'bubbles'}
            options={(['bubbles', 'compact'] as const).map((name) => [
              name,
              strings.text(`prefs.density.${name}`),
            ])}
            choose={(name) => look.choose('compact', name === 'compact')}
          />
        </Row>
        {/* On a touch screen Enter always begins a new line. */}
        {!touch() && (
          <Row title={enter} hint={strings.text('prefs.enter.hint', { key: controlKey(strings) })}>
            <Switch label={enter} on={look.enterSends} turn={(on) => look.choose('enter', on)} />
          </Row>
        )}
      </ul>
      <p class="hint">{strings.text('prefs.look.hint')}</p>
    </Section>
  );
}
