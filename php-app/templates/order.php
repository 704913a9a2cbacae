<?php

declare(strict_types=1);

?>
<form class="order" method="post" action="/order"><input type="hidden" name="csrf" value="<?= $e($csrf) ?>"><input type="hidden" name="order" value="<?= $e($order) ?>"><button type="submit" class="plain"><?= $t('news.ship') ?></button></form>
