<?php

declare(strict_types=1);

$title = $t('nodes.heading') . ' · ' . $t('site.name');
$class = 'login-page';
$head = '<script type="module" src="/nodes.js"></script>';
?>
<main class="login" data-chat="<?= $e($chat) ?>" data-none="<?= $t('nodes.none') ?>" data-unnamed="<?= $t('nodes.unnamed') ?>">
<div class="card">
<h1><?= $t('nodes.heading') ?></h1>
<p><?= $t('nodes.connected') ?> <strong id="node" role="status"><?= $t('nodes.none') ?></strong></p>
<ol id="moves" reversed aria-label="<?= $t('nodes.moves') ?>"></ol>
</div>
</main>
