<?php

declare(strict_types=1);

$links = ['/' => 'nav.home', '/members' => 'nav.members'] + ($hasOrders ? ['/orders' => 'nav.orders'] : [])
    + ($hasNotices ? ['/notices' => 'nav.notices'] : []);
$here = fn (string $link): string => $link === $path ? ' aria-current="page"' : '';
?>
<header class="top">
<a class="brand" href="/"><?php require __DIR__ . '/mark.php' ?><span class="site-name"><?= $t('site.name') ?></span></a>
<nav class="pages" aria-label="<?= $t('nav.pages') ?>">
<?php foreach ($links as $link => $text) : ?>
<a href="<?= $link ?>"<?= $here($link) ?>><?= $t($text) ?></a>
<?php endforeach ?>
<a href="/messages"<?= $here('/messages') ?>><?= $t('nav.messages') ?><?php if ($class !== 'full') : ?> <php-chat-badge server="<?= $e($chat) ?>"></php-chat-badge><?php endif ?></a>
<?php if ($isModerator) : ?>
<a href="<?= $e($chat) ?>/moderate"><?= $t('nav.moderate') ?></a>
<?php endif ?>
</nav>
<div class="account"><a class="plain over" href="" hidden><?= $t('page.submit') ?></a><span class="as"><?= strtr($t('page.as'), ['{name}' => '<b><bdi>' . $e($user->firstname) . '</bdi></b>']) ?></span><form method="post" action="/logout"><input type="hidden" name="csrf" value="<?= $e($csrf) ?>"><button type="submit" class="plain"><?= $t('page.logout') ?></button></form></div>
</header>
