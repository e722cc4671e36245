// Shows /openapi.json as a page. It builds elements and sets text; nothing of the document is ever read as HTML.
'use strict';

const methods = ['get', 'post', 'put', 'patch', 'delete'];

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// prose shows paragraphs with `code` and **strong** in them, which is all that the descriptions use.
function prose(text) {
  const box = el('div', {});
  for (const paragraph of (text || '').split('\n\n')) {
    const p = el('p', {});
    for (const piece of paragraph.split(/(`[^`]*`|\*\*[^*]*\*\*)/)) {
      if (piece.startsWith('`')) p.append(el('code', {}, piece.slice(1, -1)));
      else if (piece.startsWith('**')) p.append(el('strong', {}, piece.slice(2, -2)));
      else p.append(piece);
    }
    box.append(p);
  }
  return box;
}

function resolve(doc, schema) {
  let seen = 0;
  while (schema && schema.$ref && seen++ < 20) {
    schema = doc.components.schemas[schema.$ref.split('/').pop()];
  }
  return schema || {};
}

function typeOf(doc, schema) {
  if (schema.$ref) return schema.$ref.split('/').pop();
  const type = Array.isArray(schema.type) ? schema.type.join(' or ') : schema.type || 'any';
  if (schema.items) return 'list of ' + typeOf(doc, schema.items);
  return schema.format ? type + ' (' + schema.format + ')' : type;
}

function limits(schema) {
  const names = ['enum', 'default', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'pattern'];
  return names.filter(n => schema[n] !== undefined).map(n => n + ': ' + JSON.stringify(schema[n])).join(', ');
}

// members lists a schema's members, and under each the members of what it holds, down to a depth.
function members(doc, schema, depth) {
  schema = resolve(doc, schema);
  if (schema.items) return members(doc, schema.items, depth);
  if (!schema.properties || depth > 3) return null;
  const rows = el('tbody', {});
  for (const [name, property] of Object.entries(schema.properties)) {
    const inner = members(doc, property, depth + 1);
    const about = el('td', {}, property.description || resolve(doc, property).description || '');
    const bounds = limits(property);
    if (bounds) about.append(el('div', {class: 'type'}, bounds));
    if (inner) about.append(el('details', {}, el('summary', {}, 'members'), inner));
    const label = el('td', {}, el('code', {}, name));
    if ((schema.required || []).includes(name)) label.append(' ', el('span', {class: 'required'}, 'required'));
    rows.append(el('tr', {}, label, el('td', {class: 'type'}, typeOf(doc, property)), about));
  }
  return el('table', {}, rows);
}

function example(doc, schema, depth) {
  schema = resolve(doc, schema);
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.items) return [example(doc, schema.items, depth + 1)];
  if (!schema.properties || depth > 6) return schema.type === 'string' ? 'text' : null;
  const value = {};
  for (const [name, property] of Object.entries(schema.properties)) value[name] = example(doc, property, depth + 1);
  return value;
}

function content(doc, title, all) {
  const box = el('div', {});
  for (const [type, media] of Object.entries(all || {})) {
    const details = el('details', {}, el('summary', {}, title + ' ', el('code', {}, type)));
    const table = members(doc, media.schema || {}, 0);
    if (table) details.append(table);
    if (/json$/.test(type)) details.append(el('pre', {}, JSON.stringify(media.example || example(doc, media.schema || {}, 0), null, 2)));
    box.append(details);
  }
  return box;
}

function parameters(doc, list) {
  if (!list || !list.length) return null;
  const rows = el('tbody', {});
  for (const p of list) {
    const label = el('td', {}, el('code', {}, p.name));
    if (p.required) label.append(' ', el('span', {class: 'required'}, 'required'));
    const about = el('td', {}, p.description || '');
    const bounds = limits(p.schema || {});
    if (bounds) about.append(el('div', {class: 'type'}, bounds));
    rows.append(el('tr', {}, label, el('td', {class: 'type'}, p.in + ', ' + typeOf(doc, p.schema || {})), about));
  }
  return el('table', {}, rows);
}

function operation(doc, path, method, op) {
  const section = el('section', {class: 'operation', id: op.operationId},
    el('h3', {}, op.summary),
    el('div', {}, el('span', {class: 'method'}, method.toUpperCase()), el('code', {class: 'path'}, path)),
    prose(op.description), parameters(doc, op.parameters));
  if (op.requestBody) section.append(content(doc, 'Body', op.requestBody.content));
  if (!path.startsWith('/')) { // a webhook: what receivers answer
    for (const [status, response] of Object.entries(op.responses)) section.append(el('p', {}, el('code', {}, status), ' ' + response.description));
    return section;
  }
  for (const [status, response] of Object.entries(op.responses || {})) {
    if (status.startsWith('2')) section.append(content(doc, 'Answer ' + status, response.content));
  }
  const others = Object.keys(op.responses || {}).filter(s => !s.startsWith('2'));
  if (others.length) section.append(el('p', {class: 'type'}, 'Problems: ' + others.join(', ')));
  return section;
}

function show(doc) {
  const nav = document.getElementById('nav');
  const main = document.getElementById('main');
  main.replaceChildren(el('h1', {}, doc.info.title + ' ' + doc.info.version), prose(doc.info.description),
    el('p', {}, el('a', {href: '/openapi.yaml'}, 'openapi.yaml'), ' · ', el('a', {href: '/openapi.json'}, 'openapi.json'),
      ' · ', el('a', {href: '/openapi-3.0.json'}, 'OpenAPI 3.0')));
  for (const tag of doc.tags) {
    nav.append(el('h2', {}, tag.name));
    main.append(el('h2', {id: 'tag-' + tag.name}, tag.name), el('p', {}, tag.description));
    for (const [path, item] of Object.entries(doc.paths).concat(Object.entries(doc.webhooks || {}))) {
      for (const method of methods) {
        const op = item[method];
        if (!op || !op.tags.includes(tag.name)) continue;
        nav.append(el('a', {href: '#' + op.operationId}, op.summary));
        main.append(operation(doc, path, method, op));
      }
    }
  }
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

fetch('/openapi.json').then(r => r.json()).then(show, () => {
  document.getElementById('main').append(el('p', {}, 'The document could not be loaded: try /openapi.json.'));
});
