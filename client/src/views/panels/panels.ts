import style from '../../styles/panels.css?inline';
import { sheetOf } from '../../styles.ts';
import { addPictures } from '../icon.tsx';
import { pictures } from './pictures.ts';

export { hintAt, hintAtScripts, hintAtUnknownRoom } from '../../hints.ts';
export { openMenu } from './menus.ts';
export { People } from './people.tsx';
export { SearchPanel } from './search.tsx';
export { Tooltip } from './tooltip.tsx';

/** What stands beside, above or in place of the room: comes when the first messages are shown. */
export const sheet = sheetOf(style);

addPictures(pictures);
