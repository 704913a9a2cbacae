<?php

declare(strict_types=1);

$title = $t('chat.heading');
$class = 'full';
$head = '<script type="module" src="' . $e($chat) . '/php-chat.js"></script>';
?>
<header class="top"><a class="brand" href="/"><?php require __DIR__ . '/mark.php' ?><span class="site-name"><?= $t('site.name') ?></span></a><nav aria-label="<?= $t('chat.account') ?>"><span class="as"><?= strtr($t('page.as'), ['{name}' => '<b><bdi>' . $e($name) . '</bdi></b>']) ?></span><?php if ($order !== null) {
    require __DIR__ . '/order.php';
} ?><form method="post" action="/logout"><input type="hidden" name="csrf" value="<?= $e($csrf) ?>"><button type="submit" class="plain"><?= $t('page.logout') ?></button></form></nav></header>
<main>
<h1 class="vh"><?= $t('chat.heading') ?></h1>
<php-chat server="<?= $e($chat) ?>" login-url="/" history="hash"><p><?= $t('chat.unloaded') ?></p></php-chat>
</main>
