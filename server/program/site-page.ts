/** The kinds of site with a page in docs/sites. docs/sites/more.md describes the others. */
const ownPages = new Set([
  'drupal',
  'joomla',
  'laravel',
  'magento',
  'mediawiki',
  'moodle',
  'mybb',
  'opencart',
  'php',
  'phpbb',
  'prestashop',
  'roundcube',
  'smf',
  'symfony',
  'typo3',
  'wordpress',
]);

/** Returns the page about a kind of site, or the list of all pages if the kind is unknown. */
export const sitePage = (kind: string | undefined): string =>
  `docs/sites/${kind === undefined ? 'README' : ownPages.has(kind) ? kind : 'more'}.md`;
