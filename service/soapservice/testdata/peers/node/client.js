// Calls the service with the package soap. Binary values are parts both ways,
// and requests are compressed, as those of the original client.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const soap = require('soap');

const e = process.env;
const authorization = 'Basic ' + Buffer.from(`${e.SOAP_USER}:${e.SOAP_PASSWORD}`).toString('base64');
const show = (name, result) => console.log(`${name}: ${result === undefined || result === null ? '' : [].concat(result).join(' ')}`);

// include makes a binary value a reference to a part.
let number = 0;
function include(body, attachments) {
  const contentId = `part ${++number}+@node`;
  attachments.push({ mimetype: 'application/octet-stream', contentId, name: `${number}`, body });
  return {
    'xop:Include': {
      attributes: { 'xmlns:xop': 'http://www.w3.org/2004/08/xop/include', href: 'cid:' + encodeURIComponent(contentId) },
    },
  };
}

async function main() {
  const client = await soap.createClientAsync(e.SOAP_URL + '?wsdl', {
    wsdl_headers: { Authorization: authorization }, parseResponseAttachments: true, preserveWhitespace: true, forever: true,
  });
  client.setSecurity(new soap.BasicAuthSecurity(e.SOAP_USER, e.SOAP_PASSWORD));

  // call returns the result; binary values are taken from the parts.
  async function call(operation, request = {}, attachments = []) {
    const [response, raw, , , mtom] = await client[operation + 'Async'](request, { attachments, forceMTOM: true, forceGzip: true });
    if (!mtom || mtom.parts.length === 0) return response && response.return;
    const parts = new Map(mtom.parts.map((part) => [part.headers['content-id'].replace(/[<>]/g, ''), Buffer.from(part.body)]));
    return [...raw.matchAll(/<xop:Include [^>]*href="cid:([^"]*)"/g)].map((match) => parts.get(decodeURIComponent(match[1])));
  }

  show('printInvalid', await call('printInvalid', { derivation: [e.GOOD, e.MISSING] }));
  show('printInvalid of nothing', await call('printInvalid', { derivation: [] }));
  show('queryRequisites', await call('queryRequisites', { derivation: [e.GOOD] }));
  show('lock', await call('lock', { profile: 'default' }));
  try {
    await call('lock', { profile: 'default' });
  } catch (fault) {
    show('lock again', `fault ${/locked/.test(fault.root ? fault.root.Envelope.Body.Fault.faultstring : fault.message)}`);
  }
  show('unlock', await call('unlock', { profile: 'default' }));
  let attachments = [];
  const closure = include(fs.readFileSync(e.CLOSURE), attachments);
  show('importLocalFile', await call('importLocalFile', { dataHandler: closure }, attachments));
  show('printInvalid of it', await call('printInvalid', { derivation: [e.UPLOADED] }));
  const [content] = await call('exportRemoteFile', { derivation: [e.UPLOADED] });
  show('exportRemoteFile', crypto.createHash('sha256').update(content).digest('hex'));
  show('realise', await call('realise', { derivation: [e.GOOD] }));
  show('importm', await call('importm', { closure: await call('export', { derivation: [e.UPLOADED] }) }));
  for (const operation of ['activate', 'deactivate', 'snapshot', 'restore', 'deleteState']) {
    show(operation, await call(operation, {
      derivation: e.GOOD, container: 'box', type: 'recorder', arguments: ['a=<1>', 'greeting=hällo & ]]>'],
    }));
  }
  attachments = [];
  const files = [include(Buffer.from('one'), attachments), include(Buffer.from('\0two'), attachments)];
  show('importLocalSnapshots', await call('importLocalSnapshots', {
    container: 'box', component: 'a', snapshot: '/s/id', dataHandlers: files, paths: ['/s/id/1', '/s/id/d/2'],
  }, attachments.reverse()));
  show('queryAllSnapshots', await call('queryAllSnapshots', { container: 'box', component: 'a' }));
  show('queryLatestSnapshot', await call('queryLatestSnapshot', { container: 'box', component: 'a' }));
  show('printMissingSnapshots', await call('printMissingSnapshots', { component: ['box/a/id', 'box/a/other'] }));
  const [path] = await call('resolveSnapshots', { snapshots: ['box/a/id'] });
  show('exportRemoteSnapshotPaths', (await call('exportRemoteSnapshotPaths', { derivation: path })).map((p) => p.slice(path.length)));
  show('exportRemoteSnapshots', (await call('exportRemoteSnapshots', { derivation: path })).map((c) => c.toString('hex')));
  show('importSnapshots', await call('importSnapshots', { container: 'box', component: 'a', snapshots: [path] }));
  show('cleanSnapshots', await call('cleanSnapshots', { keep: 0, container: null, component: null }));
  show('queryAllSnapshots', await call('queryAllSnapshots', { container: null, component: null }));
  show('captureConfig', /containers/.test(await call('captureConfig')) ? 'True' : 'False');
  show('set', await call('set', { profile: 'default', derivation: e.PROFILE }));
  show('queryInstalled', (await call('queryInstalled', { profile: 'default' }))[0].replace(/\n/g, '|'));
  show('collectGarbage', await call('collectGarbage', { deleteOld: false }));
}

main().catch((error) => {
  console.error(error.message || error);
  process.exit(1);
});
