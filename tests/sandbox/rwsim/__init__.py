"""A small database server that behaves on the wire like RisingWave. See README.md beside this
package.
"""
